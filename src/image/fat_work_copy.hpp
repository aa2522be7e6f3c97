#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "fat_geometry.hpp"
#include "fat_reader.hpp"
#include "imprint/base/clock.hpp"
#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"
#include "imprint/image/canvas.hpp"
#include "imprint/image/content.hpp"

namespace imprint::image {

/// Where mtools works: a file in memory, without a name, with a file system's tables and
/// directories but without the content of its files, which mtools has no use for. After each tool,
/// what it has changed goes to the canvas. One thread at a time; canvas and reader outlive it.
class FatWorkCopy {
 public:
  static Result<FatWorkCopy> make(Canvas& canvas, const Partition& partition, FatReader& reader,
                                  const std::vector<Cluster>& directory_clusters);

  /// Runs one tool of mtools: its name and what comes after `-i IMAGE`. `input` is its standard
  /// input; `parent` is the path of the directory that it changes. After success the canvas and the
  /// reader's table are as the tool has left the file system; clusters that it has freed are
  /// zeroed. Code::io when it is not installed.
  Result<> run(std::string_view tool, const std::vector<std::string>& arguments,
               std::string_view parent, TimePoint now, const Content* input = nullptr);

  /// Changes bytes in a directory, in the copy and on the canvas.
  Result<> patch(std::uint64_t offset, ByteView bytes);

 private:
  FatWorkCopy(Canvas& canvas, std::uint64_t offset, FatReader& reader, File memory);

  /// Where a place of the file system is in the copy, whose FATs may be longer.
  [[nodiscard]] std::uint64_t in_copy(std::uint64_t offset) const noexcept;
  Result<> copy_in(std::uint64_t offset, std::uint64_t size_bytes);
  Result<> copy_in_tables();
  /// Brings a range to the canvas, where it differs.
  Result<> copy_out(std::uint64_t offset, std::uint64_t size_bytes);
  Result<> copy_out_change(const FatTable::Change& change);
  Result<> copy_out_directories();
  Result<> mark_directory(std::string_view path);
  /// Gives its memory back: reads as zeros from now on.
  Result<> forget(Cluster cluster);

  Canvas* canvas_;
  std::uint64_t offset_;
  FatReader* reader_;
  File memory_;
  FatGeometry shape_;              // of the copy
  std::set<Cluster> directories_;  // clusters of directories
};

}  // namespace imprint::image
