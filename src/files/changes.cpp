#include "imprint/files/changes.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "content_digest.hpp"
#include "imprint/base/text.hpp"

namespace imprint::files {

using image::Attributes;
using image::DeviceTree;
using image::FileSystem;
using image::FileSystems;
using image::NodeType;

namespace {

/// Directories nested deeper than any path can name are a damaged file system going in circles.
constexpr unsigned kMaxDepth = 2048;

constexpr Attributes kParentAttributes{.mode = 0755};

[[nodiscard]] Error missing(const std::string& path) {
  return {Code::not_found, fmt::format("{} does not exist", quoted(path))};
}

[[nodiscard]] bool has(const image::NodeInfo& node, const Attributes& attributes) noexcept {
  return node.mode == attributes.mode && node.uid == attributes.uid && node.gid == attributes.gid;
}

[[nodiscard]] std::string below(const std::string& directory, const std::string& name) {
  return fmt::format("{}/{}", directory == "/" ? "" : directory, name);
}

}  // namespace

Result<std::vector<Changes::Target>> Changes::targets(const std::string& path, Parents parents,
                                                      DeviceTree::LastLink last, Need need) {
  std::vector<Target> found;
  std::optional<Error> lacking;
  std::string lacking_label;
  for (FileSystems::Root& root : edit_.roots()) {
    auto location =
        root.tree.resolve(path, parents == Parents::make ? &kParentAttributes : nullptr, last);
    if (location && need == Need::node && !location->node) location = fail(missing(path));
    if (!location) {
      if (location.error().code != Code::not_found) {
        return fail(std::move(location).error().context(root.label));
      }
      lacking = std::move(location).error();
      lacking_label = root.label;
      continue;
    }
    const bool known = std::ranges::any_of(found, [&location](const Target& earlier) {
      return earlier.location.file_system == location->file_system &&
             earlier.location.path == location->path;
    });
    if (!known) found.push_back({.label = root.label, .location = std::move(*location)});
  }
  if (found.empty()) return fail(std::move(*lacking));
  if (lacking)
    notes_.push_back(fmt::format("{}: left alone, {}", lacking_label, lacking->message()));
  return found;
}

Result<Attributes> Changes::attributes_for(const Target& target, const Wanted& wanted,
                                           unsigned mode_if_new) const {
  FileSystem& file_system = *target.location.file_system;
  if (wanted.needs_owners() && !wanted.as_far_as_possible && !file_system.has_owners()) {
    return fail(Code::unsupported,
                fmt::format("{} is on {}, which has no owners and no extended attributes",
                            quoted(target.location.path), file_system.partition().file_system));
  }
  const auto& node = target.location.node;
  return Attributes{.mode = wanted.mode.value_or(node ? node->mode : mode_if_new),
                    .uid = wanted.uid.value_or(node ? node->uid : 0),
                    .gid = wanted.gid.value_or(node ? node->gid : 0),
                    .modified = wanted.modified};
}

Result<> Changes::set_extended_attributes(const Target& target, const Wanted& wanted) {
  if (!target.location.file_system->has_owners()) return {};
  for (const image::ExtendedAttribute& attribute : wanted.extended_attributes) {
    IMPRINT_TRY(target.location.file_system->set_extended_attribute(
        target.location.path, attribute.name, ByteView(attribute.value)));
  }
  return {};
}

void Changes::expect(const Target& target, NodeType type,
                     const std::optional<Attributes>& attributes,
                     const std::optional<crypto::Sha256Digest>& digest) {
  const int partition = target.location.file_system->partition().number;
  // What comes last is what has to be there.
  std::erase_if(expected_, [&](const Expected& earlier) {
    return earlier.partition == partition && earlier.path == target.location.path;
  });
  const bool has_owners = target.location.file_system->has_owners();
  expected_.push_back({.partition = partition,
                       .path = target.location.path,
                       .type = type,
                       .attributes = has_owners ? attributes : std::nullopt,
                       .digest = digest});
}

Result<> Changes::put(const std::string& path, const image::Content& content, const Wanted& wanted,
                      unsigned mode_if_new, Parents parents) {
  const auto places =
      IMPRINT_TRY(targets(path, parents, DeviceTree::LastLink::follow, Need::directory));
  const crypto::Sha256Digest digest = IMPRINT_TRY(digest_of(content));
  for (const Target& target : places) {
    const auto& node = target.location.node;
    if (node && node->type == NodeType::directory) {
      return fail(Code::exists, fmt::format("{}: {} is a directory", target.label, quoted(path)));
    }
    const Attributes attributes = IMPRINT_TRY(attributes_for(target, wanted, mode_if_new));
    IMPRINT_TRY(target.location.file_system->write_file(target.location.path, content, attributes)
                    .context(quoted(path)));
    IMPRINT_TRY(set_extended_attributes(target, wanted).context(quoted(path)));
    expect(target, NodeType::file, attributes, digest);
  }
  return {};
}

Result<> Changes::change_directory(const Target& target, const Wanted& wanted) {
  const image::AttributeChange change{
      .mode = wanted.mode, .uid = wanted.uid, .gid = wanted.gid, .modified = wanted.modified};
  if (change.mode || change.uid || change.gid || change.modified) {
    IMPRINT_TRY(target.location.file_system->change_attributes(target.location.path, change));
  }
  return set_extended_attributes(target, wanted);
}

Result<> Changes::make_directory(const std::string& path, const Wanted& wanted,
                                 unsigned mode_if_new, Parents parents) {
  const auto places =
      IMPRINT_TRY(targets(path, parents, DeviceTree::LastLink::follow, Need::directory));
  for (const Target& target : places) {
    const auto& node = target.location.node;
    if (node && (parents == Parents::must_exist || node->type != NodeType::directory)) {
      return fail(Code::exists, fmt::format("{}: {} exists already", target.label, quoted(path)));
    }
    const Attributes attributes = IMPRINT_TRY(attributes_for(target, wanted, mode_if_new));
    if (node) {
      IMPRINT_TRY(change_directory(target, wanted).context(quoted(path)));
    } else {
      IMPRINT_TRY(target.location.file_system->make_directory(target.location.path, attributes)
                      .context(quoted(path)));
      IMPRINT_TRY(set_extended_attributes(target, wanted).context(quoted(path)));
    }
    expect(target, NodeType::directory, attributes, std::nullopt);
  }
  return {};
}

Result<> Changes::make_symlink(const std::string& path, const std::string& target,
                               const Wanted& wanted) {
  const auto places =
      IMPRINT_TRY(targets(path, Parents::must_exist, DeviceTree::LastLink::keep, Need::directory));
  constexpr unsigned kLinkMode = 0777;  // as the kernel makes all of them
  for (const Target& place : places) {
    if (place.location.node) {
      if (place.location.node->type != NodeType::symlink) {
        return fail(Code::exists, fmt::format("{}: {} exists and is no symbolic link", place.label,
                                              quoted(path)));
      }
      IMPRINT_TRY(place.location.file_system->remove(place.location.path).context(quoted(path)));
    }
    const Attributes attributes{.mode = kLinkMode,
                                .uid = wanted.uid.value_or(0),
                                .gid = wanted.gid.value_or(0),
                                .modified = wanted.modified};
    IMPRINT_TRY(place.location.file_system->make_symlink(place.location.path, target, attributes)
                    .context(quoted(path)));
    IMPRINT_TRY(set_extended_attributes(place, wanted).context(quoted(path)));
    expect(place, NodeType::symlink, attributes, std::nullopt);
  }
  return {};
}

Result<> Changes::remove_below(FileSystem& file_system, const std::string& path, unsigned depth) {
  if (depth > kMaxDepth) {
    return fail(Code::corrupt, fmt::format("{}: directories go {} levels deep; repair the file "
                                           "system with 'e2fsck -f'",
                                           quoted(path), kMaxDepth));
  }
  const auto names = IMPRINT_TRY(file_system.list(path));
  for (const std::string& name : names) {
    const std::string child = below(path, name);
    const auto node = IMPRINT_TRY(file_system.find(child));
    if (node && node->type == NodeType::directory) {
      IMPRINT_TRY(remove_below(file_system, child, depth + 1));
    }
    IMPRINT_TRY(file_system.remove(child));
  }
  return {};
}

Result<> Changes::remove(const std::string& path, const RemoveOptions& options) {
  auto places = targets(path, Parents::must_exist, DeviceTree::LastLink::keep, Need::node);
  if (!places) {
    const bool fine = options.missing_is_fine && places.error().code == Code::not_found;
    return fine ? Result<>() : fail(std::move(places).error());
  }
  for (const Target& target : *places) {
    FileSystem& file_system = *target.location.file_system;
    if (target.location.is_root()) {
      return fail(Code::invalid_input,
                  fmt::format("{} is the root of a file system; name what is in it", quoted(path)));
    }
    if (target.location.node->type == NodeType::directory) {
      if (!options.recursive) {
        return fail(Code::invalid_input, fmt::format("{}: {} is a directory; -r removes it with "
                                                     "everything in it",
                                                     target.label, quoted(path)));
      }
      IMPRINT_TRY(remove_below(file_system, target.location.path, 0).context(quoted(path)));
    }
    IMPRINT_TRY(file_system.remove(target.location.path).context(quoted(path)));
    const int partition = file_system.partition().number;
    const std::string inside = target.location.path + "/";
    std::erase_if(expected_, [&](const Expected& earlier) {
      return earlier.partition == partition &&
             (earlier.path == target.location.path || earlier.path.starts_with(inside));
    });
    expected_.push_back({.partition = partition,
                         .path = target.location.path,
                         .type = std::nullopt,
                         .attributes = std::nullopt,
                         .digest = std::nullopt});
  }
  return {};
}

Result<bool> Changes::is_directory(const std::string& path) {
  for (FileSystems::Root& root : edit_.roots()) {
    const auto location = root.tree.resolve(path);
    if (location && location->node && location->node->type == NodeType::directory) return true;
    if (!location && location.error().code != Code::not_found) {
      return fail(Error(location.error()).context(root.label));
    }
  }
  return false;
}

Result<> Changes::check(ImageView& result) const {
  for (const Expected& expected : expected_) {
    FileSystem& file_system = *IMPRINT_TRY(result.partition(expected.partition));
    const auto differs = [&](std::string_view how) {
      return fail(Code::check_failed, fmt::format("partition {}: {} {}", expected.partition,
                                                  quoted(expected.path), how));
    };
    const auto node = IMPRINT_TRY(file_system.find(expected.path));
    if (!expected.type) {
      if (node) return differs("is still there");
      continue;
    }
    if (!node || node->type != *expected.type) return differs("is not there");
    if (expected.attributes && !has(*node, *expected.attributes)) {
      return differs("has another mode or owner than it was given");
    }
    if (!expected.digest) continue;
    const auto digest = IMPRINT_TRY(digest_of(file_system, expected.path, node->size_bytes));
    if (digest != *expected.digest) return differs("has another content than was written");
  }
  return {};
}

Result<std::uint64_t> Changes::finish(image::Survives survives) {
  return edit_.finish(survives, [this](ImageView& result) { return check(result); });
}

}  // namespace imprint::files
