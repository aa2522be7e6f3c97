#include "imprint/image/ext_file_system.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "imprint/base/text.hpp"

namespace imprint::image {
namespace {

[[nodiscard]] Unexpected missing(std::string_view path) {
  return fail(Code::not_found, fmt::format("{} does not exist", quoted(path)));
}

}  // namespace

Result<std::optional<InodeNumber>> ExtFileSystem::inode_of(std::string_view path) const {
  InodeNumber at = kRootInode;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view name = path.substr(0, end);
    path.remove_prefix(std::min(end + 1, path.size()));
    if (name.empty()) continue;
    // The library would look for names in whatever blocks a file has.
    const NodeInfo node = IMPRINT_TRY(volume_.stat(at));
    if (node.type != NodeType::directory) return std::optional<InodeNumber>();
    const auto found = IMPRINT_TRY(volume_.lookup(at, name));
    if (!found) return std::optional<InodeNumber>();
    at = *found;
  }
  return std::optional<InodeNumber>(at);
}

Result<InodeNumber> ExtFileSystem::existing(std::string_view path) const {
  const auto inode = IMPRINT_TRY(inode_of(path));
  if (!inode) return missing(path);
  return *inode;
}

Result<ExtFileSystem::Place> ExtFileSystem::place_of(std::string_view path) const {
  while (path.ends_with('/'))
    path.remove_suffix(1);
  if (path.empty()) return Place{};
  const std::size_t slash = path.rfind('/');
  const std::string_view directory = slash == std::string_view::npos ? "" : path.substr(0, slash);
  const InodeNumber inode = IMPRINT_TRY(existing(directory));
  return Place{inode, std::string(path.substr(slash + 1))};
}

Result<std::optional<NodeInfo>> ExtFileSystem::find(std::string_view path) {
  const auto inode = IMPRINT_TRY(inode_of(path));
  if (!inode) return std::optional<NodeInfo>();
  return IMPRINT_TRY(volume_.stat(*inode));
}

Result<std::vector<std::string>> ExtFileSystem::list(std::string_view path) {
  const InodeNumber inode = IMPRINT_TRY(existing(path));
  const Place place = IMPRINT_TRY(place_of(path));
  return volume_.list(inode, place.directory);
}

Result<std::string> ExtFileSystem::read_link(std::string_view path) {
  const InodeNumber inode = IMPRINT_TRY(existing(path));
  return volume_.read_link(inode);
}

Result<> ExtFileSystem::read(std::string_view path, const ContentSink& sink) {
  const InodeNumber inode = IMPRINT_TRY(existing(path));
  return volume_.read_content(inode, sink);
}

Result<std::vector<ExtendedAttribute>> ExtFileSystem::extended_attributes(std::string_view path) {
  const InodeNumber inode = IMPRINT_TRY(existing(path));
  return volume_.extended_attributes(inode);
}

Result<> ExtFileSystem::make_directory(std::string_view path, const Attributes& attributes) {
  const Place place = IMPRINT_TRY(place_of(path));
  IMPRINT_TRY(volume_.make_directory(place.directory, place.name, attributes));
  return {};
}

Result<> ExtFileSystem::write_file(std::string_view path, const Content& content,
                                   const Attributes& attributes) {
  const Place place = IMPRINT_TRY(place_of(path));
  IMPRINT_TRY(volume_.write_file(place.directory, place.name, content, attributes));
  return {};
}

Result<> ExtFileSystem::make_symlink(std::string_view path, std::string_view target,
                                     const Attributes& attributes) {
  const Place place = IMPRINT_TRY(place_of(path));
  IMPRINT_TRY(volume_.make_symlink(place.directory, place.name, target, attributes));
  return {};
}

Result<> ExtFileSystem::remove(std::string_view path) {
  const Place place = IMPRINT_TRY(place_of(path));
  return volume_.remove(place.directory, place.name);
}

Result<> ExtFileSystem::change_attributes(std::string_view path, const AttributeChange& change) {
  const InodeNumber inode = IMPRINT_TRY(existing(path));
  return volume_.change_attributes(inode, change);
}

Result<> ExtFileSystem::set_extended_attribute(std::string_view path, const std::string& name,
                                               std::optional<ByteView> value) {
  const InodeNumber inode = IMPRINT_TRY(existing(path));
  return volume_.set_extended_attribute(inode, name, value);
}

}  // namespace imprint::image
