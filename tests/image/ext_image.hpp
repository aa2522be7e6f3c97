#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "imprint/image/canvas.hpp"
#include "imprint/image/partition.hpp"
#include "imprint/image/volume.hpp"
#include "support/temp_dir.hpp"

namespace imprint::image::test {

/// What to give mke2fs, and where in the image its file system lies.
struct ExtShape {
  std::string name;
  std::vector<std::string> options;
  std::uint64_t size_bytes = 16 << 20;
  std::uint64_t offset_bytes = 0;
};

/// How gtest names a shape when a test fails.
inline void PrintTo(const ExtShape& shape, std::ostream* out) {
  *out << shape.name;
}

/// An image file with one ext file system made by mke2fs, with pinned UUIDs and times. Its base
/// file is never written to by what is tested; what an edit makes of it is judged by e2fsck and
/// debugfs on a copy.
class ExtImage {
 public:
  explicit ExtImage(const ExtShape& shape);

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

  [[nodiscard]] const Partition& partition() const noexcept { return partition_; }

  [[nodiscard]] const FileImage& image() const noexcept { return *image_; }

  [[nodiscard]] std::string base_content() const;

  /// Commands for `debugfs -w` on the base, before it is edited.
  void prepare(const std::vector<std::string>& commands);
  /// Turns the bits of one byte of the file system round, before it is edited.
  void damage(std::uint64_t offset_in_file_system);

  /// Where `apply` puts a file system alone.
  [[nodiscard]] std::filesystem::path result_path() const { return dir_ / "result"; }

  /// The file system that a canvas (or several, one over the other) makes of the base, cut out for
  /// the tools.
  void apply(std::initializer_list<const Canvas*> canvases);

  /// debugfs -R on the result.
  [[nodiscard]] std::string debugfs(const std::string& request) const;
  /// Empty when e2fsck -fn has nothing to say about the result; else what it says.
  [[nodiscard]] std::string fsck_complaints() const;
  /// Content of a file of the result, as debugfs dumps it.
  [[nodiscard]] std::string content(const std::string& path) const;

  /// Whether this text stands anywhere in the result, in a file or not.
  [[nodiscard]] bool result_holds(std::string_view text) const;

  [[nodiscard]] const imprint::test::TempDir& dir() const noexcept { return dir_; }

 private:
  void reopen();

  imprint::test::TempDir dir_;
  std::filesystem::path path_;
  Partition partition_;
  std::unique_ptr<FileImage> image_;
};

/// A time of editing, far enough from the file system's own.
[[nodiscard]] TimePoint edit_time();

[[nodiscard]] Attributes attributes(unsigned mode, unsigned uid = 0, unsigned gid = 0);

}  // namespace imprint::image::test
