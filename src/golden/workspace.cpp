#include "workspace.hpp"

#include <algorithm>
#include <cassert>

#include <fmt/format.h>

#include "imprint/base/text.hpp"

namespace imprint::golden {
namespace {

bool is_on_data(std::string_view path) {
  const std::string normal = fs::path(path).lexically_normal().string();
  return normal == "/data" || normal.starts_with("/data/");
}

/// Why there is no rootfs to edit, from what is there instead.
Error no_rootfs(const image::Layout& layout) {
  std::string reason = "no partition of the image is a rootfs that can be edited";
  for (const image::Partition& partition : layout.partitions) {
    if (partition.file_system == "squashfs") {
      reason = fmt::format("partition {} is squashfs, which cannot be edited", partition.number);
      break;
    }
  }
  return {Code::unsupported,
          reason +
              ": write to the data partition instead (paths under /data, mender_conf.target "
              "\"data\")"};
}

}  // namespace

bool needs_rootfs(const Recipe& recipe) {
  const auto outside = [](const auto& file) { return !is_on_data(file.path); };
  return std::ranges::any_of(recipe.files, outside) ||
         std::ranges::any_of(recipe.merges, outside) ||
         std::ranges::any_of(recipe.device_files, outside);
}

template <class Open>
Result<Workspace> Workspace::open(const image::Layout& layout, bool with_rootfs, Open open_volume) {
  Workspace workspace;
  const auto add = [&](std::string_view role,
                       const image::Partition& partition) -> Result<image::Volume*> {
    auto volume = IMPRINT_TRY(open_volume(partition));
    workspace.members_.push_back({.label = fmt::format("{} (partition {})", role, partition.number),
                                  .volume = std::make_unique<image::Volume>(std::move(volume))});
    return workspace.members_.back().volume.get();
  };
  image::Volume* data = IMPRINT_TRY(add("data", layout.data));
  const auto add_root = [&](image::Volume* rootfs, bool is_second) {
    workspace.roots_.push_back({.label = workspace.members_.back().label,
                                .is_second = is_second,
                                .tree = image::DeviceTree(rootfs, data)});
  };
  if (!with_rootfs) {
    add_root(nullptr, false);
    return workspace;
  }
  if (!layout.rootfs_a) return fail(no_rootfs(layout));
  add_root(IMPRINT_TRY(add("rootfs A", *layout.rootfs_a)), false);
  if (layout.rootfs_b && layout.rootfs_b_populated) {
    add_root(IMPRINT_TRY(add("rootfs B", *layout.rootfs_b)), true);
  }
  return workspace;
}

Result<Workspace> Workspace::open_edit(image::Canvas& canvas, const image::Layout& layout,
                                       bool with_rootfs) {
  return open(layout, with_rootfs,
              [&canvas](const image::Partition& partition) -> Result<image::Volume> {
                // A time of the base image itself: the same base and recipe give the same bytes on
                // any day.
                const auto before = IMPRINT_TRY(image::Volume::open_read(canvas, partition));
                return image::Volume::open_edit(canvas, partition, before.last_written());
              });
}

Result<Workspace> Workspace::open_read(const image::ImageReader& image, const image::Layout& layout,
                                       bool with_rootfs) {
  return open(layout, with_rootfs, [&image](const image::Partition& partition) {
    return image::Volume::open_read(image, partition);
  });
}

const std::string& Workspace::label_of(const image::Volume& volume) const {
  const auto member = std::ranges::find_if(
      members_, [&volume](const Member& candidate) { return candidate.volume.get() == &volume; });
  assert(member != members_.end());
  return member->label;
}

const image::Volume* Workspace::volume_of(Root& root, std::string_view path) {
  for (fs::path at = path;; at = at.parent_path()) {
    const auto location = root.tree.resolve(at.string());
    if (location) return location->volume;
    if (location.error().code != Code::not_found || at == at.parent_path()) return nullptr;
  }
}

std::string Workspace::label_of(Root& root, std::string_view path) const {
  const image::Volume* volume = volume_of(root, path);
  return volume == nullptr ? root.label : label_of(*volume);
}

Result<> Workspace::commit() {
  for (Member& member : members_)
    IMPRINT_TRY(member.volume->commit().context(member.label));
  return {};
}

}  // namespace imprint::golden
