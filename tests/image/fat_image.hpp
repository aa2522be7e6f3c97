#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "imprint/image/canvas.hpp"
#include "imprint/image/file_system.hpp"
#include "imprint/image/file_systems.hpp"
#include "imprint/image/partition.hpp"
#include "support/temp_dir.hpp"

namespace imprint::image::test {

/// What to give mkfs.vfat, and where in the image its file system lies.
struct FatShape {
  std::string name;
  std::vector<std::string> options;
  std::uint64_t size_bytes = 16 << 20;
  std::uint64_t offset_bytes = 0;
};

inline void PrintTo(const FatShape& shape, std::ostream* out) {
  *out << shape.name;
}

/// An image file with one FAT file system made by mkfs.vfat between two regions of other bytes.
/// The base is never written to by what is tested; what an edit makes of it is judged by fsck.vfat
/// and mtools on a copy.
class FatImage {
 public:
  explicit FatImage(const FatShape& shape);

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

  [[nodiscard]] const Partition& partition() const noexcept { return partition_; }

  [[nodiscard]] const FileImage& image() const noexcept { return *image_; }

  /// A program of mtools on the base, before it is edited: `{"mmd", "::/d"}`.
  void prepare(const std::vector<std::string>& command, std::string_view input = {});
  /// Raw bytes of the file system, before it is edited.
  void poke(std::uint64_t offset_in_file_system, std::string_view bytes);
  [[nodiscard]] std::string peek(std::uint64_t offset_in_file_system, std::size_t size) const;

  /// The base as a canvas makes it, for the tools.
  void apply(const Canvas& canvas);

  /// The same file system, cut out.
  [[nodiscard]] std::filesystem::path result_path() const { return dir_ / "result"; }

  /// A program of mtools on the result: what it prints; a test failure when it fails.
  [[nodiscard]] std::string mtools(const std::vector<std::string>& command) const;
  /// Empty when fsck.vfat -n is content; else what it says.
  [[nodiscard]] std::string fsck_complaints() const;
  /// Whether this text stands anywhere in the result, in a file or not.
  [[nodiscard]] bool result_holds(std::string_view text) const;

  [[nodiscard]] const imprint::test::TempDir& dir() const noexcept { return dir_; }

 private:
  void reopen();
  [[nodiscard]] std::vector<std::string> on(const std::string& image,
                                            const std::vector<std::string>& command) const;

  imprint::test::TempDir dir_;
  std::filesystem::path path_;
  Partition partition_;
  std::unique_ptr<FileImage> image_;
};

/// The file system of an image, open for editing on 2020-09-13 at 12:26:41 UTC.
struct FatEdit {
  explicit FatEdit(const FatImage& fat);

  Canvas canvas;
  std::unique_ptr<FileSystemSource> source;
  std::unique_ptr<FileSystem> file_system;

  [[nodiscard]] FileSystem* operator->() const { return file_system.get(); }
};

}  // namespace imprint::image::test
