#include "imprint/golden/overlay.hpp"

#include <algorithm>
#include <cassert>
#include <limits>

#include "varint.hpp"

namespace imprint::golden {
namespace {

/// Image offsets are off_t.
constexpr std::uint64_t kLargestOffset = std::numeric_limits<std::int64_t>::max();
constexpr std::uint64_t kLargestOverlay = std::numeric_limits<std::uint32_t>::max();

/// The durable form, a part at a time: one description of the format for those who store it and
/// those who hash it.
template <class Sink>
void encode(const Overlay& overlay, Sink sink) {
  sink(Varint(overlay.pieces().size()).view());
  std::uint64_t end = 0;
  for (const Overlay::Piece& piece : overlay.pieces()) {
    sink(Varint(piece.offset - end).view());
    sink(Varint(piece.length).view());
    sink(overlay.bytes_of(piece));
    end = piece.offset + piece.length;
  }
}

Unexpected malformed(const char* why) {
  return fail(Code::corrupt, std::string("damaged overlay: ") + why);
}

/// Calls `visit(offset, bytes)` for every piece of a serialized overlay, in order.
template <class Visit>
Result<> decode(ByteView rest, Visit visit) {
  const auto count = take_varint(rest);
  if (!count) return malformed("no number of pieces");
  // A piece takes three bytes at least: an absurd count is seen before anything is made for it.
  if (*count > rest.size() / 3) return malformed("more pieces than it has bytes for");
  std::uint64_t end = 0;
  for (std::uint64_t i = 0; i < *count; ++i) {
    const auto gap = take_varint(rest);
    if (!gap) return malformed("an offset is no number");
    const auto length = take_varint(rest);
    if (!length) return malformed("a length is no number");
    if (*length == 0) return malformed("a piece is empty");
    if (*length > rest.size()) return malformed("it is cut off");
    if (*gap > kLargestOffset - end || *length > kLargestOffset - end - *gap) {
      return malformed("an offset is too large");
    }
    const std::uint64_t offset = end + *gap;
    visit(offset, rest.first(static_cast<std::size_t>(*length)));
    rest = rest.subspan(static_cast<std::size_t>(*length));
    end = offset + *length;
  }
  if (!rest.empty()) return malformed("there are bytes after its end");
  return {};
}

}  // namespace

void Overlay::clear() noexcept {
  pieces_.clear();
  bytes_.clear();
}

void Overlay::add(std::uint64_t offset, ByteView bytes) {
  assert(!bytes.empty());
  assert(bytes.size() <= kLargestOverlay - bytes_.size());
  pieces_.push_back({.offset = offset,
                     .begin = static_cast<std::uint32_t>(bytes_.size()),
                     .length = static_cast<std::uint32_t>(bytes.size())});
  bytes_.append(bytes);
}

void Overlay::finish() {
  std::ranges::sort(pieces_, {}, &Piece::offset);
  assert(std::ranges::adjacent_find(pieces_, [](const Piece& left, const Piece& right) {
           return left.offset + left.length > right.offset;
         }) == pieces_.end());
}

Result<> Overlay::apply(File& file) const {
  for (const Piece& piece : pieces_)
    IMPRINT_TRY(file.write_all(piece.offset, bytes_of(piece)));
  return {};
}

crypto::Sha256Digest Overlay::digest(crypto::Sha256& hasher) const {
  encode(*this, [&hasher](ByteView part) { hasher.update(part); });
  return hasher.finish();
}

void Overlay::serialize(crypto::SecretBytes& into) const {
  into.clear();
  encode(*this, [&into](ByteView part) { into.append(part); });
}

Result<> Overlay::parse(ByteView serialized) {
  // Everything is checked before anything changes.
  if (serialized.size() > kLargestOverlay) return malformed("it is larger than 4 GiB");
  IMPRINT_TRY(decode(serialized, [](std::uint64_t /*offset*/, ByteView /*bytes*/) {}));
  clear();
  return decode(serialized, [this](std::uint64_t offset, ByteView bytes) { add(offset, bytes); });
}

}  // namespace imprint::golden
