#include "imprint/image/file_system.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "imprint/base/text.hpp"

namespace imprint::image {

bool is_bound_to_content(std::string_view attribute) noexcept {
  constexpr std::array<std::string_view, 3> kBound{"security.capability", "security.ima",
                                                   "security.evm"};
  return std::ranges::find(kBound, attribute) != kBound.end();
}

Result<crypto::WipedBytes> FileSystem::read_whole(std::string_view path,
                                                  std::uint64_t limit_bytes) {
  const auto node = IMPRINT_TRY(find(path));
  if (!node) return fail(Code::not_found, fmt::format("{} does not exist", quoted(path)));
  // What is no regular file is refused by read() itself, whatever size it claims to have.
  const bool is_file = node->type == NodeType::file;
  if (is_file && node->size_bytes > limit_bytes) {
    return fail(Code::invalid_input, fmt::format("the file has {} bytes; at most {} are read",
                                                 node->size_bytes, limit_bytes));
  }
  crypto::WipedBytes content(is_file ? static_cast<std::size_t>(node->size_bytes) : 0);
  IMPRINT_TRY(read(path, [&content](std::uint64_t offset, ByteView bytes) -> Result<> {
    if (offset > content.size() || bytes.size() > content.size() - offset) {
      return fail(Code::corrupt, "the file is longer than its size");
    }
    std::ranges::copy(bytes, content.begin() + static_cast<std::ptrdiff_t>(offset));
    return {};
  }));
  return content;
}

}  // namespace imprint::image
