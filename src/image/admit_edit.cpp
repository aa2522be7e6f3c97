// What no engine can change, or should.

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "imprint/image/file_systems.hpp"

namespace imprint::image {
namespace {

constexpr std::string_view kWriteToData =
    "write to the data partition instead (paths under /data, mender_conf.target \"data\")";

}  // namespace

Result<> admit_edit(const fs::path& image, const Partition& partition) {
  const std::string where =
      fmt::format("partition {} of {}", partition.number, quoted(image.native()));
  if (!partition.sealed.empty()) {
    return fail(Code::unsupported, fmt::format("{} {}, so a device would not accept a change: {}",
                                               where, partition.sealed, kWriteToData));
  }
  constexpr std::array<std::string_view, 5> kReadOnly = {"squashfs", "squashfs3", "erofs", "cramfs",
                                                         "romfs"};
  if (std::ranges::find(kReadOnly, partition.file_system) == kReadOnly.end()) return {};
  return fail(Code::unsupported, fmt::format("{} holds {}, which cannot be changed: {}", where,
                                             partition.file_system, kWriteToData));
}

}  // namespace imprint::image
