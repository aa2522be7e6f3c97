#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "imprint/base/bytes.hpp"
#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"
#include "imprint/image/clone.hpp"

namespace imprint::image {

/// What a file is to hold, wherever it comes from. What no data range covers reads as zeros and
/// becomes a hole where the file system has holes.
class Content {
 public:
  virtual ~Content() = default;
  [[nodiscard]] virtual std::uint64_t size_bytes() const noexcept = 0;
  /// Ascending, disjoint, within the size.
  [[nodiscard]] virtual Result<std::vector<DataRange>> data_ranges() const = 0;
  /// Fills all of `into`.
  [[nodiscard]] virtual Result<> read(std::uint64_t offset, MutableBytes into) const = 0;
};

/// Bytes in memory, which outlive it.
class MemoryContent final : public Content {
 public:
  explicit MemoryContent(ByteView bytes) : bytes_(bytes) {}

  [[nodiscard]] std::uint64_t size_bytes() const noexcept override { return bytes_.size(); }

  [[nodiscard]] Result<std::vector<DataRange>> data_ranges() const override;
  [[nodiscard]] Result<> read(std::uint64_t offset, MutableBytes into) const override;

 private:
  ByteView bytes_;
};

/// A file on this machine, with its holes; the file outlives it. Its size is taken once: a file
/// that has become shorter since is an error of read().
class FileContent final : public Content {
 public:
  static Result<FileContent> of(const File& file);

  [[nodiscard]] std::uint64_t size_bytes() const noexcept override { return size_; }

  [[nodiscard]] Result<std::vector<DataRange>> data_ranges() const override;
  [[nodiscard]] Result<> read(std::uint64_t offset, MutableBytes into) const override;

 private:
  FileContent(const File& file, std::uint64_t size) : file_(&file), size_(size) {}

  const File* file_;
  std::uint64_t size_;
};

/// Receives a file's content in pieces of ascending offset; what is left out is a hole. The bytes
/// are valid during the call only.
using ContentSink = std::function<Result<>(std::uint64_t offset, ByteView bytes)>;

}  // namespace imprint::image
