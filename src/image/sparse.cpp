#include "sparse.hpp"

#include <algorithm>
#include <cstring>

namespace imprint::image {
namespace {

[[nodiscard]] bool is_zero(ByteView bytes) noexcept {
  return bytes.front() == std::byte{0} &&
         std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

[[nodiscard]] ByteView block_at(ByteView bytes, std::size_t position) noexcept {
  return bytes.subspan(position, std::min(kBlockBytes, bytes.size() - position));
}

}  // namespace

Result<> write_without_zeros(File& to, std::uint64_t offset, ByteView bytes) {
  std::size_t position = 0;
  while (position < bytes.size()) {
    if (is_zero(block_at(bytes, position))) {
      position += block_at(bytes, position).size();
      continue;
    }
    const std::size_t start = position;
    while (position < bytes.size() && !is_zero(block_at(bytes, position))) {
      position += block_at(bytes, position).size();
    }
    IMPRINT_TRY(to.write_all(offset + start, bytes.subspan(start, position - start)));
  }
  return {};
}

}  // namespace imprint::image
