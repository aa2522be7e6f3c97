#include "imprint/image/patch.hpp"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "little_endian.hpp"

namespace imprint::image {
namespace {

constexpr std::uint64_t kVersion = 1;
constexpr std::size_t kVersionBytes = 1;
constexpr std::size_t kCountBytes = 4;
constexpr std::size_t kOffsetBytes = 8;
constexpr std::size_t kLengthBytes = 4;

/// What off_t can say; a patch beyond it could not be applied.
constexpr auto kMaxOffset = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());

[[nodiscard]] std::uint64_t end_of(const Write& write) noexcept {
  return write.offset + write.bytes.size();
}

}  // namespace

Result<> Patch::normalize() {
  std::erase_if(writes, [](const Write& write) { return write.bytes.empty(); });
  std::sort(writes.begin(), writes.end(),
            [](const Write& a, const Write& b) { return a.offset < b.offset; });
  for (std::size_t i = 1; i < writes.size(); ++i) {
    if (end_of(writes[i - 1]) > writes[i].offset) {
      return fail(Code::internal,
                  fmt::format("two writes of one patch overlap at byte {}", writes[i].offset));
    }
  }
  std::vector<Write> merged;
  for (Write& write : writes) {
    if (!merged.empty() && end_of(merged.back()) == write.offset) {
      append_bytes(merged.back().bytes, write.bytes);
    } else {
      merged.push_back(std::move(write));
    }
  }
  writes = std::move(merged);
  return {};
}

std::uint64_t Patch::total_bytes() const noexcept {
  std::uint64_t total = 0;
  for (const Write& write : writes)
    total += write.bytes.size();
  return total;
}

crypto::Sha256Digest Patch::digest() const {
  crypto::Sha256 hash;
  for (const Write& write : writes) {
    Bytes head;
    append_little_endian(head, write.offset, 8);
    append_little_endian(head, write.bytes.size(), 8);
    hash.update(head);
    hash.update(write.bytes);
  }
  return hash.finish();
}

Result<> Patch::apply(File& file) const {
  for (const Write& write : writes)
    IMPRINT_TRY(file.write_all(write.offset, write.bytes));
  return {};
}

crypto::WipedBytes serialize(const Patch& patch) {
  crypto::WipedBytes out;
  // All at once: growing would leave nothing behind (the allocator wipes), but costs copies.
  out.reserve(kVersionBytes + kCountBytes + patch.writes.size() * (kOffsetBytes + kLengthBytes) +
              static_cast<std::size_t>(patch.total_bytes()));
  append_little_endian(out, kVersion, kVersionBytes);
  append_little_endian(out, patch.writes.size(), kCountBytes);
  for (const Write& write : patch.writes) {
    append_little_endian(out, write.offset, kOffsetBytes);
    append_little_endian(out, write.bytes.size(), kLengthBytes);
    append_bytes(out, write.bytes);
  }
  return out;
}

Result<Patch> parse_patch(ByteView bytes) {
  ByteCursor cursor(bytes);
  if (const std::uint64_t version = cursor.number(kVersionBytes);
      cursor.good() && version != kVersion) {
    return fail(Code::unsupported, fmt::format("patch of version {}; this program reads version {}",
                                               version, kVersion));
  }
  const std::uint64_t count = cursor.number(kCountBytes);
  Patch patch;
  for (std::uint64_t i = 0; i < count && cursor.good(); ++i) {
    const std::uint64_t offset = cursor.number(kOffsetBytes);
    const ByteView content = cursor.bytes(cursor.number(kLengthBytes));
    if (!cursor.good()) break;
    if (content.empty()) return fail(Code::corrupt, fmt::format("write {} of a patch is empty", i));
    if (offset > kMaxOffset - content.size()) {
      return fail(Code::corrupt, fmt::format("write {} of a patch lies beyond any file", i));
    }
    if (i > 0 && offset <= end_of(patch.writes.back())) {
      return fail(Code::corrupt, fmt::format("write {} of a patch is out of order", i));
    }
    patch.writes.push_back(Write{offset, {content.begin(), content.end()}});
  }
  if (!cursor.good()) return fail(Code::corrupt, "a patch is cut short");
  if (!cursor.at_end()) return fail(Code::corrupt, "a patch has bytes after its end");
  return patch;
}

}  // namespace imprint::image
