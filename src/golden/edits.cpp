// Applying a recipe to the file systems of an image.
//
// Shared files first, then merges (which may build on a shared file), placeholders last: what comes
// last takes the blocks that are left, so that a variant with larger placeholders leaves the shared
// part where the golden image has it and differs from it by little.
//
// Every path is applied to rootfs A and to a populated rootfs B. From both, a path may lead to the
// one data partition (/var/lib/mender is such a link): it is applied there once. Two different
// paths that lead to one file are refused, because one of them would lose.
#include "edits.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "imprint/golden/apply.hpp"

namespace imprint::golden {
namespace {

/// A path as seen from one root, while it is worked on.
struct Target {
  image::FileSystems& file_systems;
  image::FileSystems::Root& root;
  std::size_t root_index;
  const std::string& path;

  /// The partition where the path leads, by its nearest existing directory; the root's own when it
  /// leads nowhere (a circle of links, a rootfs that cannot be opened).
  [[nodiscard]] std::string label() const {
    for (fs::path at = path;; at = at.parent_path()) {
      const auto location = root.tree.resolve(at.string());
      if (location) return file_systems.label_of(location->file_system->partition());
      if (location.error().code != Code::not_found || at == at.parent_path()) return root.label;
    }
  }

  [[nodiscard]] Unexpected refuse(Error error) const {
    return fail(std::move(error).context(quoted(path)).context(label()));
  }

  /// Adds the partition to an error of the tree, which has the path in it.
  template <class T>
  [[nodiscard]] Result<T> named(Result<T> result) const {
    if (result) return result;
    return fail(std::move(result).error().context(label()));
  }
};

EditPlan::Place place_of(const image::DeviceTree::Location& location) {
  return {.partition = location.file_system->partition().number, .path = location.path};
}

/// Where the path leads now; none when a directory on the way is missing.
Result<std::optional<image::DeviceTree::Location>> locate(const Target& target) {
  auto location = target.root.tree.resolve(target.path);
  if (location) return std::optional(std::move(*location));
  if (location.error().code == Code::not_found) return std::optional<image::DeviceTree::Location>();
  return fail(std::move(location).error().context(target.label()));
}

/// Whether the place has been written for the same path already, from the other root; an error when
/// it was for another path.
Result<bool> is_done(const Target& target, const EditPlan::Claims& claims,
                     const std::optional<image::DeviceTree::Location>& location) {
  if (!location) return false;
  const auto claim = claims.find(place_of(*location));
  if (claim == claims.end()) return false;
  if (claim->second == target.path) return true;
  return target.refuse({Code::invalid_input, fmt::format("is the same file as {}: name it once",
                                                         quoted(claim->second))});
}

bool has_attributes(const image::NodeInfo& node, const image::Attributes& attributes) {
  return node.mode == attributes.mode && node.uid == attributes.uid && node.gid == attributes.gid;
}

/// Limits are for what comes from outside; a file of ours may be as large as it is.
Result<crypto::WipedBytes> read_whole(image::DeviceTree& tree, const std::string& path) {
  const auto node = IMPRINT_TRY(tree.stat(path));
  return tree.read_file(path, node.size_bytes);
}

std::string note_of_replacement(const Target& target) {
  return fmt::format("{}: {} is in the base image already and is replaced", target.label(),
                     quoted(target.path));
}

Result<image::DeviceTree::Location> write(
    const Target& target, ByteView content, const image::Attributes& attributes,
    std::span<const image::ExtendedAttribute> extended_attributes) {
  auto location =
      IMPRINT_TRY(target.named(target.root.tree.write_file(target.path, content, attributes)));
  for (const image::ExtendedAttribute& attribute : extended_attributes) {
    IMPRINT_TRY(target.named(location.file_system->set_extended_attribute(
        location.path, attribute.name, ByteView(attribute.value))));
  }
  return location;
}

Result<> write(const Target& target, ByteView content, const image::Attributes& attributes,
               std::span<const image::ExtendedAttribute> extended_attributes,
               EditPlan::Claims& claims) {
  const auto location = IMPRINT_TRY(write(target, content, attributes, extended_attributes));
  claims.emplace(place_of(location), target.path);
  return {};
}

Result<> plan_shared_file(const Target& target, const SharedFile& file, EditPlan& plan) {
  const auto location = IMPRINT_TRY(locate(target));
  if (IMPRINT_TRY(is_done(target, plan.shared_places, location))) return {};
  if (location && location->node) plan.notes.push_back(note_of_replacement(target));
  IMPRINT_TRY(
      write(target, file.content, file.attributes, file.extended_attributes, plan.shared_places));
  plan.writes.push_back({.root = target.root_index,
                         .path = file.path,
                         .content = file.content,
                         .attributes = file.attributes,
                         .extended_attributes = file.extended_attributes});
  return {};
}

Result<> plan_merge(const Target& target, const MergedFile& file, EditPlan& plan) {
  const auto location = IMPRINT_TRY(locate(target));
  if (IMPRINT_TRY(is_done(target, plan.merged_places, location))) return {};

  const bool exists = location && location->node;
  if (!exists && file.must_exist) {
    if (target.root.is_second) {
      plan.notes.push_back(
          fmt::format("{} has no {}: left alone", target.root.label, quoted(file.path)));
      return {};
    }
    return target.refuse(
        {Code::not_found, "is missing: the image must have the file that is to be changed"});
  }

  image::Attributes attributes = file.attributes_if_new;
  crypto::WipedBytes existing;
  if (exists) {
    const auto node = IMPRINT_TRY(target.named(target.root.tree.stat(file.path)));
    attributes = {.mode = node.mode, .uid = node.uid, .gid = node.gid};
    existing = IMPRINT_TRY(target.named(read_whole(target.root.tree, file.path)));
  }
  const auto text = exists ? std::optional(text_of(existing)) : std::nullopt;
  auto outcome = file.merge(text);
  if (!outcome) return target.refuse(std::move(outcome).error());
  std::string merged = std::move(*outcome);
  if (text == merged) {
    // Rewriting would only move the file.
    plan.merged_places.emplace(place_of(*location), file.path);
    return {};
  }

  for (EditPlan::Write& earlier : plan.writes) {
    if (earlier.root == target.root_index && earlier.path == file.path) earlier.superseded = true;
  }
  const std::string& kept = plan.merged.emplace_back(std::move(merged));
  IMPRINT_TRY(write(target, bytes_of(kept), attributes, {}, plan.merged_places));
  plan.writes.push_back({.root = target.root_index,
                         .path = file.path,
                         .content = bytes_of(kept),
                         .attributes = attributes});
  return {};
}

/// Calls `work(target, item)` for every item and every root.
template <class Item, class Work>
Result<> for_each_target(image::FileSystems& file_systems, const std::vector<Item>& items,
                         Work work) {
  for (const Item& item : items) {
    for (std::size_t i = 0; i < file_systems.roots().size(); ++i) {
      const Target target{.file_systems = file_systems,
                          .root = file_systems.roots()[i],
                          .root_index = i,
                          .path = item.path};
      IMPRINT_TRY(work(target, item));
    }
  }
  return {};
}

/// The file system that holds or will hold the file, by its nearest existing directory.
Result<image::FileSystem*> nearest_file_system(const Target& target) {
  for (fs::path at = target.path;; at = at.parent_path()) {
    auto location = target.root.tree.resolve(at.string());
    if (location) return location->file_system;
    if (location.error().code != Code::not_found || at == at.parent_path()) {
      return fail(std::move(location).error().context(target.root.label));
    }
  }
}

/// Whether a device file is to be written there: false when the other root has done it.
Result<bool> may_place(const Target& target, const DeviceFile& file, const EditPlan& plan,
                       const EditPlan::Claims& claims, std::vector<std::string>* notes) {
  const auto before = IMPRINT_TRY(locate(target));
  IMPRINT_TRY(is_done(target, plan.shared_places, before));
  IMPRINT_TRY(is_done(target, plan.merged_places, before));
  if (before && plan.shared_places.contains(place_of(*before))) {
    return target.refuse({Code::invalid_input, "is both a shared and a per-device file"});
  }
  if (IMPRINT_TRY(is_done(target, claims, before))) return false;
  if (before && before->node) {
    if (!file.replace) {
      return target.refuse({Code::exists, "exists already; --force replaces it"});
    }
    if (notes != nullptr) notes->push_back(note_of_replacement(target));
  }
  return true;
}

/// An empty file of that capacity at the place, and which inode it got.
Result<std::optional<PlacedCopy>> place(const Target& target, const DeviceFile& file,
                                        std::uint64_t size_bytes, const EditPlan& plan,
                                        EditPlan::Claims& claims, std::vector<std::string>* notes) {
  if (!IMPRINT_TRY(may_place(target, file, plan, claims, notes)))
    return std::optional<PlacedCopy>();
  image::FileSystem& file_system = *IMPRINT_TRY(nearest_file_system(target));
  const image::Volume* volume = file_system.volume();
  if (volume == nullptr) {
    return target.refuse(
        {Code::unsupported,
         fmt::format("a device's own file cannot be placed on {}; it needs ext2, ext3 or ext4",
                     file_system.partition().file_system)});
  }
  PlacedCopy copy{.device_file = 0,
                  .root = target.root_index,
                  .path = file.path,
                  .label = target.file_systems.label_of(volume->partition()),
                  .partition = volume->partition(),
                  .inode = 0,
                  .block_bytes = volume->block_bytes(),
                  .placement = {}};
  const std::uint64_t blocks = std::max<std::uint64_t>(1, copy.blocks_for(size_bytes));
  const Bytes zeros(static_cast<std::size_t>(blocks * copy.block_bytes));
  IMPRINT_TRY(write(target, zeros, file.attributes, file.extended_attributes, claims));
  copy.inode = IMPRINT_TRY(target.named(target.root.tree.stat(file.path))).inode;
  return std::optional(std::move(copy));
}

}  // namespace

Result<> plan_edits(image::FileSystems& file_systems, EditPlan& plan) {
  IMPRINT_TRY(for_each_target(file_systems, plan.recipe.files,
                              [&plan](const Target& target, const SharedFile& file) {
                                return plan_shared_file(target, file, plan);
                              }));
  return for_each_target(file_systems, plan.recipe.merges,
                         [&plan](const Target& target, const MergedFile& file) {
                           return plan_merge(target, file, plan);
                         });
}

Result<> repeat_edits(image::FileSystems& file_systems, const EditPlan& plan) {
  for (const EditPlan::Write& planned : plan.writes) {
    const Target target{.file_systems = file_systems,
                        .root = file_systems.roots()[planned.root],
                        .root_index = planned.root,
                        .path = planned.path};
    IMPRINT_TRY(write(target, planned.content, planned.attributes, planned.extended_attributes));
  }
  return {};
}

Result<std::vector<PlacedCopy>> place_device_files(image::FileSystems& file_systems,
                                                   const EditPlan& plan,
                                                   std::span<const std::uint64_t> sizes,
                                                   std::vector<std::string>* notes) {
  std::vector<PlacedCopy> copies;
  std::vector<image::Volume*> volumes;
  EditPlan::Claims claims;
  const std::vector<DeviceFile>& files = plan.recipe.device_files;
  const auto place_one = [&](const Target& target, const DeviceFile& file) -> Result<> {
    const auto index = static_cast<std::size_t>(&file - files.data());
    auto copy = IMPRINT_TRY(place(target, file, sizes[index], plan, claims, notes));
    if (!copy) return {};
    copy->device_file = index;
    copies.push_back(std::move(*copy));
    const auto location = IMPRINT_TRY(target.named(target.root.tree.resolve(file.path)));
    volumes.push_back(location.file_system->volume());
    return {};
  };
  IMPRINT_TRY(for_each_target(file_systems, files, place_one));
  for (std::size_t i = 0; i < copies.size(); ++i) {
    PlacedCopy& copy = copies[i];
    copy.placement = IMPRINT_TRY(
        volumes[i]->placement(copy.inode).context(quoted(copy.path)).context(copy.label));
  }
  return copies;
}

Result<std::vector<std::string>> apply(image::FileSystems& file_systems, Recipe recipe,
                                       std::span<const ByteView> contents) {
  EditPlan plan;
  plan.recipe = std::move(recipe);
  IMPRINT_TRY(plan_edits(file_systems, plan));
  EditPlan::Claims claims;
  std::vector<std::string> notes = plan.notes;
  const std::vector<DeviceFile>& files = plan.recipe.device_files;
  const auto write_one = [&](const Target& target, const DeviceFile& file) -> Result<> {
    const auto index = static_cast<std::size_t>(&file - files.data());
    if (!IMPRINT_TRY(may_place(target, file, plan, claims, &notes))) return {};
    return write(target, contents[index], file.attributes, file.extended_attributes, claims);
  };
  IMPRINT_TRY(for_each_target(file_systems, files, write_one));
  return notes;
}

Result<> check_edits(const image::ImageReader& image, const image::Layout& layout,
                     const EditPlan& plan, std::span<const PlacedCopy> copies) {
  image::FileSystems file_systems(image::read_natively(image), layout);
  const auto check = [&](std::size_t root_index, const std::string& path,
                         const image::Attributes& attributes, auto is_right) -> Result<> {
    const Target target{.file_systems = file_systems,
                        .root = file_systems.roots()[root_index],
                        .root_index = root_index,
                        .path = path};
    const auto location = IMPRINT_TRY(target.named(target.root.tree.resolve(path)));
    const auto content = IMPRINT_TRY(target.named(read_whole(target.root.tree, path)));
    // FAT has no modes and owners that could be as they were asked for.
    const bool has_owners = location.file_system->has_owners();
    if (!location.node || (has_owners && !has_attributes(*location.node, attributes)) ||
        !is_right(content)) {
      return target.refuse({Code::check_failed, "does not read back as it was written"});
    }
    return {};
  };

  for (const EditPlan::Write& write : plan.writes) {
    if (write.superseded) continue;
    IMPRINT_TRY(check(write.root, write.path, write.attributes, [&write](ByteView content) {
      return std::ranges::equal(content, write.content);
    }));
  }
  for (const PlacedCopy& copy : copies) {
    const std::uint64_t capacity = copy.placement.capacity_bytes();
    IMPRINT_TRY(check(copy.root, copy.path, plan.recipe.device_files[copy.device_file].attributes,
                      [capacity](ByteView content) {
                        return content.size() == capacity &&
                               std::ranges::all_of(
                                   content, [](std::byte byte) { return byte == std::byte{0}; });
                      }));
    // The inode on the image is the one that overlays will write, for the capacity as size.
    Bytes inode(copy.placement.inode.size());
    IMPRINT_TRY(image.read(copy.placement.inode_offset, inode));
    if (inode != copy.placement.inode) {
      return fail(Error(Code::check_failed, "its inode is not where it was placed")
                      .context(quoted(copy.path))
                      .context(copy.label));
    }
  }
  return {};
}

}  // namespace imprint::golden
