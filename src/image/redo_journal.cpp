#include "redo_journal.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "imprint/crypto/digest.hpp"
#include "little_endian.hpp"

namespace imprint::image {
namespace {

constexpr std::string_view kMagic = "IMPRREDO";
constexpr std::uint64_t kVersion = 1;
constexpr std::size_t kDigestBytes = 32;
constexpr std::size_t kHeaderBytes = 8 + 4 + 8 + kDigestBytes;

void append_pieces(crypto::WipedBytes& to, const std::vector<Piece>& pieces) {
  append_little_endian(to, pieces.size(), 4);
  for (const Piece& piece : pieces) {
    append_little_endian(to, piece.offset, 8);
    append_little_endian(to, piece.bytes.size(), 2);
    append_little_endian(to, piece.other_digest, 8);
    append_bytes(to, piece.bytes);
  }
}

[[nodiscard]] std::vector<Piece> parse_pieces(ByteCursor& cursor) {
  const std::uint64_t count = cursor.number(4);
  std::vector<Piece> pieces;
  for (std::uint64_t i = 0; i < count && cursor.good(); ++i) {
    Piece piece;
    piece.offset = cursor.number(8);
    const std::uint64_t size = cursor.number(2);
    piece.other_digest = cursor.number(8);
    const ByteView bytes = cursor.bytes(size);
    piece.bytes.assign(bytes.begin(), bytes.end());
    pieces.push_back(std::move(piece));
  }
  return pieces;
}

/// What decides: bound to this journal's content, so that no other bytes can pass for it.
[[nodiscard]] Bytes mark_of(ByteView body_digest) {
  Bytes input;
  append_bytes(input, bytes_of("imprint redo: decided"));
  append_bytes(input, body_digest);
  const crypto::Sha256Digest digest = crypto::sha256(input);
  return {digest.begin(), digest.end()};
}

[[nodiscard]] bool in_bounds(const std::vector<Piece>& pieces, std::uint64_t image_bytes) {
  return std::all_of(pieces.begin(), pieces.end(), [&](const Piece& piece) {
    return piece.offset <= image_bytes && piece.bytes.size() <= image_bytes - piece.offset;
  });
}

[[nodiscard]] Unexpected damaged(const fs::path& path) {
  return fail(
      Code::corrupt,
      fmt::format("the journal {} of an interrupted edit is damaged; nothing was touched. Make "
                  "the image anew, and remove the journal",
                  quoted(path.native())));
}

}  // namespace

std::uint64_t piece_digest(ByteView bytes) {
  const crypto::Sha256Digest digest = crypto::sha256(bytes);
  return ByteCursor(digest).number(8);
}

EncodedJournal encode(const Journal& journal) {
  crypto::WipedBytes body;
  append_little_endian(body, journal.image_bytes, 8);
  append_little_endian(body, journal.note.size(), 4);
  append_bytes(body, bytes_of(journal.note));
  append_pieces(body, journal.undo);
  append_pieces(body, journal.redo);
  const crypto::Sha256Digest digest = crypto::sha256(body);

  EncodedJournal encoded;
  append_bytes(encoded.bytes, bytes_of(kMagic));
  append_little_endian(encoded.bytes, kVersion, 4);
  append_little_endian(encoded.bytes, body.size(), 8);
  append_bytes(encoded.bytes, digest);
  append_bytes(encoded.bytes, body);
  encoded.mark_offset = encoded.bytes.size();
  encoded.bytes.resize(encoded.bytes.size() +
                       kDigestBytes);  // room on the disk for the mark: zeros
  encoded.mark = mark_of(digest);
  return encoded;
}

Result<LoadedJournal> load_journal(const fs::path& path) {
  const File file = IMPRINT_TRY(File::open_read(path));
  const std::uint64_t size = IMPRINT_TRY(file.size_bytes());
  if (size < kHeaderBytes + kDigestBytes) return damaged(path);
  // A journal is as long as what its edit changed, gigabytes for a large file: only its own word
  // tells how much is to be read, and no memory is taken for what is none.
  crypto::WipedBytes bytes(kHeaderBytes);
  IMPRINT_TRY(file.read_exact(0, bytes));
  ByteCursor claimed(bytes);
  const bool is_journal = text_of(claimed.bytes(kMagic.size())) == kMagic;
  const std::uint64_t claimed_version = claimed.number(4);
  const bool is_whole = claimed.number(8) == size - kHeaderBytes - kDigestBytes;
  if (!is_journal || (claimed_version == kVersion && !is_whole)) return damaged(path);
  if (is_whole) bytes.resize(static_cast<std::size_t>(size));
  IMPRINT_TRY(file.read_exact(0, bytes));

  ByteCursor header(bytes);
  if (text_of(header.bytes(kMagic.size())) != kMagic) return damaged(path);
  const std::uint64_t version = header.number(4);
  if (version != kVersion) {
    return fail(
        Code::unsupported,
        fmt::format("the journal {} of an interrupted edit has version {}; finish it with the "
                    "imprint that wrote it",
                    quoted(path.native()), version));
  }
  const std::uint64_t body_size = header.number(8);
  const ByteView digest = header.bytes(kDigestBytes);
  const ByteView body = header.bytes(body_size);
  const ByteView mark = header.bytes(kDigestBytes);
  if (!header.good() || !header.at_end()) return damaged(path);
  const crypto::Sha256Digest actual = crypto::sha256(body);
  if (!std::equal(digest.begin(), digest.end(), actual.begin())) return damaged(path);

  LoadedJournal loaded;
  ByteCursor cursor(body);
  loaded.journal.image_bytes = cursor.number(8);
  loaded.journal.note = text_of(cursor.bytes(cursor.number(4)));
  loaded.journal.undo = parse_pieces(cursor);
  loaded.journal.redo = parse_pieces(cursor);
  if (!cursor.good() || !cursor.at_end() ||
      !in_bounds(loaded.journal.undo, loaded.journal.image_bytes) ||
      !in_bounds(loaded.journal.redo, loaded.journal.image_bytes)) {
    return damaged(path);
  }
  loaded.mark = mark_of(digest);
  loaded.decided = std::equal(mark.begin(), mark.end(), loaded.mark.begin());
  loaded.mark_offset = size - kDigestBytes;
  return loaded;
}

}  // namespace imprint::image
