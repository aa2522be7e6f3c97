#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "imprint/base/bytes.hpp"
#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/secret.hpp"

/// The file format of the redo journal, and nothing of when it is written (docs/image.md, "In-place
/// edits").
namespace imprint::image {

/// Bytes inside one 512-byte sector of the image: what a disk, and the page cache of a killed
/// process, leaves either old or new.
struct Piece {
  std::uint64_t offset = 0;
  crypto::WipedBytes bytes;  ///< of an undo piece the old bytes, of a redo piece the new ones
  std::uint64_t other_digest =
      0;  ///< of the bytes that are not stored: the undo piece's new, the redo piece's old
};

struct Journal {
  std::uint64_t image_bytes = 0;
  std::string note;
  std::vector<Piece> undo;  ///< blocks that were free: their old bytes
  std::vector<Piece> redo;  ///< everything else: the new bytes
};

/// First 8 bytes of SHA-256: tells old from new, is no proof against forgery.
[[nodiscard]] std::uint64_t piece_digest(ByteView bytes);

/// A journal as a file has it. The final mark's place is all zeros: not decided.
struct EncodedJournal {
  crypto::WipedBytes bytes;
  std::uint64_t mark_offset = 0;
  Bytes mark;  ///< what decides: these bytes at mark_offset
};

[[nodiscard]] EncodedJournal encode(const Journal& journal);

struct LoadedJournal {
  Journal journal;
  bool decided = false;
  std::uint64_t mark_offset = 0;
  Bytes mark;
};

/// Code::corrupt for what encode cannot have written, Code::unsupported for another version. Both
/// say that nothing was touched and what to do.
[[nodiscard]] Result<LoadedJournal> load_journal(const fs::path& path);

}  // namespace imprint::image
