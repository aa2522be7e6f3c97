#include "named_file.hpp"

#include <fmt/format.h>

#include "imprint/base/text.hpp"

namespace imprint::verify {

namespace {

/// Certificates and keys are far smaller.
constexpr std::uint64_t kMaxFileBytes = std::uint64_t{1} << 20;

}  // namespace

Result<NamedFile> read_named_file(image::DeviceTree& tree, std::string_view setting,
                                  const std::string& path) {
  const auto names = [&](std::string_view what) {
    return fail(Code::check_failed, fmt::format("{} names {}, {}", setting, quoted(path), what));
  };
  if (!path.starts_with('/')) return names("which is no absolute path");
  auto location = tree.resolve(path);
  if (!location && location.error().code == Code::unsupported) return fail(location.error());
  if (!location || !location->node) return names("which is not in the image");
  if (location->node->type != image::NodeType::file) return names("which is no regular file");
  if (location->node->size_bytes == 0) return names("which is empty");
  auto content = location->file_system->read_whole(location->path, kMaxFileBytes);
  if (!content) return fail(std::move(content).error().context(path));
  return NamedFile{.location = std::move(*location), .content = std::move(*content)};
}

Result<> check_mode(const NamedFile& file, const std::string& path, unsigned mode) {
  const image::NodeInfo& node = *file.location.node;
  if (!file.location.file_system->has_owners()) return {};
  if (node.mode == mode && node.uid == 0 && node.gid == 0) return {};
  return fail(Code::check_failed, fmt::format("{} is {:04o} {}:{}, should be {:04o} 0:0", path,
                                              node.mode, node.uid, node.gid, mode));
}

}  // namespace imprint::verify
