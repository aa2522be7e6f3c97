#pragma once

#include <atomic>
#include <functional>
#include <string_view>
#include <vector>

#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"
#include "imprint/image/clone.hpp"
#include "imprint/image/reader.hpp"

/// Images as builds hand them over: compressed.
namespace imprint::image {

enum class Compression { none, gzip, bzip2, xz, zstd };

/// "gzip"; "none".
[[nodiscard]] std::string_view name(Compression kind) noexcept;

/// By the first bytes. What the file is called plays no part.
[[nodiscard]] Result<Compression> compression_of(const File& file);
[[nodiscard]] Result<Compression> compression_of(const fs::path& path);

/// Where and how a compressed image is decompressed.
struct Unpacking {
  /// Holds the decompressed content, in a file without a name; its nearest existing parent where it
  /// is not there. Copies that share extents need the file system they are to be on.
  fs::path directory;
  const std::atomic<bool>* stop = nullptr;           ///< looked at all along
  std::function<void(std::string_view doing)> tell;  ///< once, before it starts: it may take long
};

/// For images that are only read: $TMPDIR, or /var/tmp, which is a disk.
[[nodiscard]] fs::path temporary_directory();

/// The image as it is, or what a compressed one holds: decompressed whole, once, with runs of zeros
/// as holes. All members, streams and frames count, as for `gzip -d` and its like. The result's
/// path() is the compressed file's, its bytes are the decompressed ones.
///
/// Code::corrupt: cut off, damaged (all checksums are looked at), followed by something else, or
/// holding nothing. Code::no_space: `directory` is full. Code::busy: written to meanwhile.
/// Code::cancelled: `stop`. Nothing is left behind in any case, a killed process included.
[[nodiscard]] Result<FileImage> open_image(const fs::path& path, const Unpacking& unpacking);

/// Ranges that may hold content: what is not a hole, or, as compression does not tell holes from
/// zeros, all of an image that was compressed.
[[nodiscard]] Result<std::vector<DataRange>> content_ranges(const FileImage& image);

}  // namespace imprint::image
