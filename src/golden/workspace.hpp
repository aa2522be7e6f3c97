#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "imprint/base/result.hpp"
#include "imprint/golden/recipe.hpp"
#include "imprint/image/canvas.hpp"
#include "imprint/image/partition.hpp"
#include "imprint/image/tree.hpp"
#include "imprint/image/volume.hpp"

namespace imprint::golden {

/// Whether any path of the recipe lies outside the data partition as it is written. (A link inside
/// the data partition that leads out of it is then an error where it is followed.)
[[nodiscard]] bool needs_rootfs(const Recipe& recipe);

/// The file systems of one image that a recipe reaches, opened together: the data partition, and
/// with it rootfs A and a populated rootfs B.
class Workspace {
 public:
  /// The device's name space as one rootfs gives it; without a rootfs, /data alone.
  struct Root {
    std::string label;  ///< "rootfs A (partition 2)"
    bool is_second = false;
    image::DeviceTree tree;
  };

  /// Edits go to `canvas`, stamped with each file system's own last-written time.
  static Result<Workspace> open_edit(image::Canvas& canvas, const image::Layout& layout,
                                     bool with_rootfs);
  static Result<Workspace> open_read(const image::ImageReader& image, const image::Layout& layout,
                                     bool with_rootfs);

  /// A first. Both see the same data volume.
  [[nodiscard]] std::span<Root> roots() noexcept { return roots_; }

  /// The partition as messages name it.
  [[nodiscard]] const std::string& label_of(const image::Volume& volume) const;
  /// The volume that holds or will hold the file, by its nearest existing directory; null when the
  /// path leads nowhere (a circle of links, a rootfs that is not open).
  [[nodiscard]] static const image::Volume* volume_of(Root& root, std::string_view path);
  /// The partition where a path leads; the root's own when it leads nowhere.
  [[nodiscard]] std::string label_of(Root& root, std::string_view path) const;

  /// Ends the work: everything is on the canvas.
  Result<> commit();

 private:
  struct Member {
    std::string label;
    std::unique_ptr<image::Volume> volume;  // trees point to it
  };

  template <class Open>
  static Result<Workspace> open(const image::Layout& layout, bool with_rootfs, Open open_volume);

  std::vector<Member> members_;
  std::vector<Root> roots_;
};

}  // namespace imprint::golden
