#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fat_reader.hpp"
#include "fat_work_copy.hpp"
#include "imprint/base/clock.hpp"
#include "imprint/image/canvas.hpp"
#include "imprint/image/file_system.hpp"

namespace imprint::image {

/// FAT12, FAT16 and FAT32 with long names: read by our own FatReader, edited by mtools in a copy
/// in memory. Names are found without regard to letter case, as a device's kernel finds them; a
/// file that is replaced keeps the letters of its name. Of modes only "nobody may write" is kept
/// (the read-only attribute). Times are even seconds of UTC.
class FatFileSystem final : public FileSystem {
 public:
  /// The image outlives it. Edits are Code::unsupported.
  static Result<std::unique_ptr<FatFileSystem>> open_read(const ImageReader& image,
                                                          const Partition& partition);
  /// The canvas outlives it, and is up to date after each edit. `now` is every time stamp of the
  /// edit; none: the newest there is in the file system. Refuses one that was not unmounted, whose
  /// FATs differ or whose files share clusters. Needs mtools from the first edit on.
  static Result<std::unique_ptr<FatFileSystem>> open_edit(Canvas& canvas,
                                                          const Partition& partition,
                                                          std::optional<TimePoint> now);

  [[nodiscard]] const Partition& partition() const noexcept override { return partition_; }

  [[nodiscard]] bool has_owners() const noexcept override { return false; }

  [[nodiscard]] Result<std::optional<NodeInfo>> find(std::string_view path) override;
  [[nodiscard]] Result<std::vector<std::string>> list(std::string_view path) override;
  /// Code::invalid_input: there are none.
  [[nodiscard]] Result<std::string> read_link(std::string_view path) override;
  [[nodiscard]] Result<> read(std::string_view path, const ContentSink& sink) override;
  [[nodiscard]] Result<std::vector<ExtendedAttribute>> extended_attributes(
      std::string_view path) override;

  Result<> make_directory(std::string_view path, const Attributes& attributes) override;
  Result<> write_file(std::string_view path, const Content& content,
                      const Attributes& attributes) override;
  Result<> make_symlink(std::string_view path, std::string_view target,
                        const Attributes& attributes) override;
  Result<> remove(std::string_view path) override;
  /// An owner other than 0:0 is Code::unsupported.
  Result<> change_attributes(std::string_view path, const AttributeChange& change) override;
  Result<> set_extended_attribute(std::string_view path, const std::string& name,
                                  std::optional<ByteView> value) override;
  Result<> commit() override;

 private:
  /// Where something new is to be.
  struct Place {
    FatDirectory directory;
    std::string path;  ///< of the directory
    std::string name;
  };

  FatFileSystem(const ImageReader& image, Canvas* canvas, const Partition& partition,
                FatReader reader)
      : image_(image),
        canvas_(canvas),
        partition_(partition),
        reader_(std::move(reader)) {}

  [[nodiscard]] std::string described() const;
  [[nodiscard]] Result<FatEntry> existing(std::string_view path) const;
  [[nodiscard]] Result<Place> place_of(std::string_view path) const;
  /// Code::image_full when there is no room for a name and so many clusters beside `given_back`
  /// ones.
  [[nodiscard]] Result<> check_room(const Place& place, std::uint64_t clusters,
                                    std::uint64_t given_back) const;
  /// As mtools wants it: `::/path`, its directories by their short names where they can be said.
  [[nodiscard]] Result<std::string> argument_for(std::string_view path) const;

  Result<> make(std::string_view path, const Content* content, const Attributes& attributes);
  Result<> remove_entry(std::string_view path, const FatEntry& entry);
  Result<> change_entry(const FatEntry& entry, const AttributeChange& change);
  Result<> start_editing();
  /// Runs an edit; after a failure of it commit() refuses.
  Result<> run(std::string_view tool, const std::vector<std::string>& arguments,
               std::string_view parent, TimePoint time, const Content* input);

  const ImageReader& image_;
  Canvas* canvas_;
  Partition partition_;
  FatReader reader_;
  std::vector<Cluster> directory_clusters_;
  TimePoint now_;
  std::unique_ptr<FatWorkCopy> copy_;  // from the first edit on
  bool is_tree_ = false;               // its directories are known to be one
  bool failed_ = false;
  bool committed_ = false;
};

}  // namespace imprint::image
