#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "imprint/base/bytes.hpp"
#include "imprint/image/canvas.hpp"
#include "imprint/image/partition.hpp"
#include "imprint/image/reader.hpp"
#include "imprint/image/volume.hpp"

/// Damaged images, and everything that is done to one. Whoever damages them, the fuzzer or a test,
/// the same is expected: no crash, no end of reading that does not come, nothing outside the
/// partition, and errors that name it.
namespace imprint::image::test {

/// Told what was not as expected.
using Complaint = std::function<void(const std::string& what)>;

/// Changes `bytes` by eight-byte instructions: where (the whole, the superblock, what is not zero,
/// the beginning), how (set, add, exclusive or, an extreme; of 1, 2, 4 or 8 bytes), at which
/// offset (24 bits), and with what (24 bits, signed). What is left over counts for nothing.
void damage(MutableBytes bytes, ByteView instructions);

/// A file system in memory, in the middle of an image: partition 4, with 64 KiB before and behind.
class DamagedImage final : public ImageReader {
 public:
  DamagedImage(Bytes file_system, Complaint complain);

  [[nodiscard]] std::uint64_t size_bytes() const noexcept override;
  [[nodiscard]] Result<> read(std::uint64_t offset, MutableBytes into) const override;
  [[nodiscard]] const fs::path& path() const noexcept override;

  [[nodiscard]] const Partition& partition() const noexcept { return partition_; }

  /// Bytes that were read since the last time of asking.
  [[nodiscard]] std::uint64_t take_read_bytes() const noexcept;

 private:
  Bytes file_system_;
  Complaint complain_;
  Partition partition_;
  mutable std::uint64_t read_bytes_ = 0;
};

/// Reads everything that can be reached from the root, in every way there is.
void read_all(const ImageReader& image, const DamagedImage& damaged, const Complaint& complain);

/// Each bit of `steps` is one kind of edit (there are 10); then commit, and all that has become of
/// it is read. `read_all` finds the names in images of fixtures/ext.
void edit(const DamagedImage& damaged, unsigned steps, const Complaint& complain);

}  // namespace imprint::image::test
