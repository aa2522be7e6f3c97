// How an image is changed in place and is never half-changed.
//
// The bytes of an edit fall into two classes. Those that go into blocks which were free mean
// nothing yet: they may be written at any time, and can be taken back. All others (inodes,
// directories, bitmaps, superblock, old blocks being zeroed) switch the file system from old to new
// and must happen all or not at all. The key is always of the first class, so the journal never
// sees it:
//
//   1. journal: old bytes of class 1, new bytes of class 2     .new, fsync, rename, fsync directory
//   2. class 1 into the image, room for class 2 made sure of   fsync image
//   3. the mark that decides, into the journal                 fsync journal
//   4. class 2 into the image                                  fsync image
//   5. the journal is removed                                  fsync directory
//
// Each fsync is needed. Without the one of step 1, class 1 could reach the disk before the bytes to
// take it back; of step 2, the mark could be there and the key not; of step 3, half of class 2
// could be there without the mark; of step 4, the journal could be gone before class 2 is there. Up
// to step 3 an interrupted edit is rolled back, from then on it is finished. Without any
// (Survives:: kill) the steps still follow each other in the page cache, where the next process
// finds them.
//
// Rejected: one journal for everything (key bytes in a second file that has to be wiped and cannot
// be, on a copy-on-write or flash file system); editing a copy and renaming it (gigabytes of
// writing for some kilobytes where extents cannot be shared, and hard links and owners are lost).
//
// Before recovery writes anything, every sector it is about must be in a state in which the edit
// can have left it. An image that was replaced or changed by somebody else meanwhile is left alone.

#include "imprint/image/redo.hpp"

#include <algorithm>
#include <cerrno>
#include <sys/file.h>
#include <unistd.h>

#include <fmt/format.h>

#include "imprint/base/syscalls.hpp"
#include "imprint/base/text.hpp"
#include "redo_journal.hpp"

namespace imprint::image {
namespace {

constexpr std::uint64_t kSectorBytes = 512;
constexpr unsigned kJournalMode = 0600;

struct Paths {
  fs::path image;
  fs::path journal;
  fs::path new_journal;  ///< while it is being written: the image is still untouched
  fs::path directory;
  Survives survives = Survives::power_cut;
};

Result<> sync(const Paths& paths, File& file) {
  return paths.survives == Survives::power_cut ? file.sync() : Result<>();
}

Result<> sync_folder(const Paths& paths) {
  return paths.survives == Survives::power_cut ? sync_directory(paths.directory) : Result<>();
}

/// By the file's real name: an edit begun through a symbolic link is found from elsewhere.
[[nodiscard]] Paths paths_of(const fs::path& image) {
  std::error_code unresolved;
  Paths paths;
  paths.image = fs::canonical(image, unresolved);
  if (unresolved) paths.image = image;
  paths.directory = paths.image.has_parent_path() ? paths.image.parent_path() : fs::path(".");
  paths.journal = paths.directory / ("." + paths.image.filename().native() + ".imprint-redo");
  paths.new_journal = paths.journal;
  paths.new_journal += ".new";
  return paths;
}

[[nodiscard]] bool is_there(const fs::path& path) {
  std::error_code unknown;
  return fs::symlink_status(path, unknown).type() != fs::file_type::not_found;
}

/// The image, locked until the File is closed.
Result<File> open_locked(const Paths& paths) {
  File file = IMPRINT_TRY(File::open_read_write(paths.image));
  int status = 0;
  do {
    status = ::flock(file.fd(), LOCK_EX | LOCK_NB);
  } while (status != 0 && errno == EINTR);
  if (status == 0) return file;
  if (errno != EWOULDBLOCK) return fail(system_error("locking " + quoted(paths.image.native())));
  return fail(Code::busy, fmt::format("another run is writing to {}; wait for it to end",
                                      quoted(paths.image.native())));
}

// --- the two classes
// ------------------------------------------------------------------------------

/// A part of a patch's write that lies in one sector, and therefore in one block.
struct Slice {
  std::uint64_t offset = 0;
  ByteView bytes;
  bool was_free = false;
};

using FreeMaps = std::vector<std::shared_ptr<const Volume::FreeMap>>;

/// File systems begin at sectors and their blocks are whole sectors, so no slice lies in two
/// blocks; a write may, when a new file's block and changed metadata are neighbours.
[[nodiscard]] std::vector<Slice> slices_of(const Patch& patch, const FreeMaps& free_maps) {
  std::vector<Slice> slices;
  for (const Write& write : patch.writes) {
    ByteView rest = write.bytes;
    std::uint64_t offset = write.offset;
    while (!rest.empty()) {
      const std::uint64_t in_sector = kSectorBytes - offset % kSectorBytes;
      const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(in_sector, rest.size()));
      const bool was_free_block = std::any_of(
          free_maps.begin(), free_maps.end(),
          [&](const auto& map) { return map != nullptr && image::was_free(*map, offset, size); });
      slices.push_back(Slice{offset, rest.first(size), was_free_block});
      rest = rest.subspan(size);
      offset += size;
    }
  }
  return slices;
}

Result<Journal> plan_journal(const File& image, std::uint64_t image_bytes,
                             const std::vector<Slice>& slices, std::string_view note) {
  Journal journal;
  journal.image_bytes = image_bytes;
  journal.note = note;
  for (const Slice& slice : slices) {
    if (slice.offset > image_bytes || slice.bytes.size() > image_bytes - slice.offset) {
      return fail(Code::internal,
                  fmt::format("an edit of {} goes beyond its end", quoted(image.path().native())));
    }
    crypto::WipedBytes old(slice.bytes.size());
    IMPRINT_TRY(image.read_exact(slice.offset, old));
    if (slice.was_free) {
      journal.undo.push_back(Piece{slice.offset, std::move(old), piece_digest(slice.bytes)});
    } else {
      journal.redo.push_back(
          Piece{slice.offset, {slice.bytes.begin(), slice.bytes.end()}, piece_digest(old)});
    }
  }
  return journal;
}

// --- the steps
// ------------------------------------------------------------------------------------

/// Step 1. After a failure there is no journal, or one that rolls nothing back, as nothing was
/// written.
Result<File> write_journal(const Paths& paths, const EncodedJournal& encoded) {
  IMPRINT_TRY(remove_file(paths.new_journal));
  File file = IMPRINT_TRY(File::create_new(paths.new_journal, kJournalMode));
  const auto finish = [&]() -> Result<> {
    IMPRINT_TRY(file.write_all(0, encoded.bytes));
    IMPRINT_TRY(sync(paths, file));
    if (sys::rename(paths.new_journal.c_str(), paths.journal.c_str()) != 0) {
      return fail(system_error("naming the journal " + quoted(paths.journal.native())));
    }
    return sync_folder(paths);
  };
  if (Result<> finished = finish(); !finished) {
    // The first error wins; what cannot be removed is harmless and removed by recover().
    (void)remove_file(paths.new_journal);
    (void)remove_file(paths.journal);
    return fail(std::move(finished).error());
  }
  return file;
}

/// Step 2. The old bytes of class 2 are written over themselves, so that a hole in the image gets
/// its block now: after the decision there must be no "no space left" any more.
Result<> write_free_blocks(const Paths& paths, File& image, const std::vector<Slice>& slices) {
  for (const Slice& slice : slices) {
    if (slice.was_free) {
      IMPRINT_TRY(image.write_all(slice.offset, slice.bytes));
    } else {
      crypto::WipedBytes old(slice.bytes.size());
      IMPRINT_TRY(image.read_exact(slice.offset, old));
      IMPRINT_TRY(image.write_all(slice.offset, old));
    }
  }
  return sync(paths, image);
}

/// Step 3, and what recovery begins with when it finds the mark: it may be in memory only, when the
/// sync of it has failed.
Result<> write_mark(const Paths& paths, File& journal, std::uint64_t offset, ByteView mark) {
  IMPRINT_TRY(journal.write_all(offset, mark));
  return sync(paths, journal);
}

/// Step 5. Should the removal not reach the disk, recover() finds a journal that says what already
/// is.
Result<> remove_journal(const Paths& paths) {
  IMPRINT_TRY(remove_file(paths.journal));
  (void)sync_folder(paths);  // no failure of the edit, for the reason above
  return {};
}

/// Steps 4 and 5.
Result<> roll_forward(const Paths& paths, File& image, const std::vector<Piece>& redo) {
  for (const Piece& piece : redo)
    IMPRINT_TRY(image.write_all(piece.offset, piece.bytes));
  IMPRINT_TRY(sync(paths, image));
  return remove_journal(paths);
}

[[nodiscard]] bool in_a_hole(const File& image, const Piece& piece) {
  const off_t data = ::lseek(image.fd(), static_cast<off_t>(piece.offset), SEEK_DATA);
  if (data < 0) return errno == ENXIO;
  return static_cast<std::uint64_t>(data) >= piece.offset + piece.bytes.size();
}

/// Takes class 1 back. A hole that was never written stays one: on a full disk this must succeed.
Result<> roll_back(const Paths& paths, File& image, const std::vector<Piece>& undo) {
  for (const Piece& piece : undo) {
    if (!in_a_hole(image, piece)) IMPRINT_TRY(image.write_all(piece.offset, piece.bytes));
  }
  IMPRINT_TRY(sync(paths, image));
  return remove_journal(paths);
}

// --- errors on the way
// ----------------------------------------------------------------------------

/// Before the decision: takes back what was written, here and now. When that fails too, the journal
/// stays and recover() tries again.
[[nodiscard]] Unexpected undone(Error error, const Paths& paths, File& image,
                                const Journal& journal) {
  const std::string name = quoted(paths.image.native());
  const Result<> rolled_back = roll_back(paths, image, journal.undo);
  if (rolled_back) return fail(std::move(error).context("editing " + name + " (it is unchanged)"));
  return fail(std::move(error).context(fmt::format(
      "editing {} (run the command again to undo it: {})", name, rolled_back.error().message())));
}

/// The mark may or may not be on the disk. If it can be wiped for certain, the edit is undone; if
/// not, the next recover() goes by what it finds, and both are whole images.
[[nodiscard]] Unexpected undecided(Error error, const Paths& paths, File& image, File& journal_file,
                                   const Journal& journal, const EncodedJournal& encoded) {
  const Bytes zeros(encoded.mark.size());
  if (write_mark(paths, journal_file, encoded.mark_offset, zeros)) {
    return undone(std::move(error), paths, image, journal);
  }
  return fail(std::move(error).context(fmt::format(
      "editing {} (run the command again to finish or undo it)", quoted(paths.image.native()))));
}

// --- recovery
// -------------------------------------------------------------------------------------

enum class Stored { yes, no, other };

/// Whether the image has the stored bytes of this piece, those it has the digest of, or neither.
Result<Stored> look_at(const File& image, const Piece& piece) {
  crypto::WipedBytes now(piece.bytes.size());
  IMPRINT_TRY(image.read_exact(piece.offset, now));
  if (now == piece.bytes) return Stored::yes;
  return piece_digest(now) == piece.other_digest ? Stored::no : Stored::other;
}

/// Old is the stored state of an undo piece, new that of a redo piece. Not decided: nothing of
/// class 2 has begun. Decided: class 1 is complete. (Bytes that the edit does not change are both.)
Result<bool> can_be_ours(const File& image, const LoadedJournal& loaded) {
  const std::uint64_t size = IMPRINT_TRY(image.size_bytes());
  if (size != loaded.journal.image_bytes) return false;
  for (const Piece& piece : loaded.journal.undo) {
    const Stored stored = IMPRINT_TRY(look_at(image, piece));
    const bool unchanged = piece_digest(piece.bytes) == piece.other_digest;
    if (stored == Stored::other || (loaded.decided && stored == Stored::yes && !unchanged))
      return false;
  }
  for (const Piece& piece : loaded.journal.redo) {
    const Stored stored = IMPRINT_TRY(look_at(image, piece));
    const bool unchanged = piece_digest(piece.bytes) == piece.other_digest;
    if (stored == Stored::other || (!loaded.decided && stored == Stored::yes && !unchanged))
      return false;
  }
  return true;
}

Result<Recovery> settle(const Paths& paths, File& image, const LoadedJournal& loaded) {
  const bool ours = IMPRINT_TRY(can_be_ours(image, loaded));
  if (!ours) {
    return fail(
        Code::corrupt,
        fmt::format("{} was replaced or changed after an edit of it was interrupted; nothing was "
                    "touched. If the image is a good one, remove the journal {}",
                    quoted(paths.image.native()), quoted(paths.journal.native())));
  }
  File journal_file = IMPRINT_TRY(File::open_read_write(paths.journal));
  if (!loaded.decided) {
    IMPRINT_TRY(write_mark(paths, journal_file, loaded.mark_offset, Bytes(loaded.mark.size())));
    IMPRINT_TRY(roll_back(paths, image, loaded.journal.undo));
    return Recovery{Recovery::Outcome::rolled_back, loaded.journal.note};
  }
  IMPRINT_TRY(write_mark(paths, journal_file, loaded.mark_offset, loaded.mark));
  IMPRINT_TRY(roll_forward(paths, image, loaded.journal.redo));
  return Recovery{Recovery::Outcome::rolled_forward, loaded.journal.note};
}

}  // namespace

Result<> InPlaceEdit::apply(const fs::path& image, const Patch& patch, const FreeMaps& free_maps,
                            std::string_view note, const FileImage* planned_on, Survives survives) {
  Paths paths = paths_of(image);
  paths.survives = survives;
  File file = IMPRINT_TRY(open_locked(paths));
  // Under the lock: from here on nobody of ours changes the image or makes a journal.
  if (is_there(paths.journal)) {
    return fail(Code::busy,
                fmt::format("an earlier edit of {} was interrupted and must be finished "
                            "first; run the command again",
                            quoted(paths.image.native())));
  }
  if (planned_on != nullptr) {
    const bool changed = IMPRINT_TRY(planned_on->changed_since_opened());
    if (changed) {
      return fail(Code::busy,
                  fmt::format("{} was changed by somebody else meanwhile; run the command "
                              "again",
                              quoted(paths.image.native())));
    }
  }
  const std::uint64_t image_bytes = IMPRINT_TRY(file.size_bytes());
  const std::vector<Slice> slices = slices_of(patch, free_maps);
  const Journal journal = IMPRINT_TRY(plan_journal(file, image_bytes, slices, note));
  const EncodedJournal encoded = encode(journal);

  File journal_file = IMPRINT_TRY(write_journal(paths, encoded));
  if (Result<> written = write_free_blocks(paths, file, slices); !written) {
    return undone(std::move(written).error(), paths, file, journal);
  }
  if (Result<> marked = write_mark(paths, journal_file, encoded.mark_offset, encoded.mark);
      !marked) {
    return undecided(std::move(marked).error(), paths, file, journal_file, journal, encoded);
  }
  // Beyond this point the edit is decided: whatever happens, recover() finishes it.
  return roll_forward(paths, file, journal.redo)
      .context(fmt::format("editing {} (run the command again to finish it)",
                           quoted(paths.image.native())));
}

Result<Recovery> recover(const fs::path& image) {
  const Paths paths = paths_of(image);
  if (!is_there(paths.journal) && !is_there(paths.new_journal)) return Recovery{};
  File file = IMPRINT_TRY(open_locked(paths));
  // A journal that never got its name: the image had not been touched.
  IMPRINT_TRY(remove_file(paths.new_journal));
  // Another process may have been faster; it held the lock while it worked.
  if (!is_there(paths.journal)) return Recovery{};
  const LoadedJournal loaded = IMPRINT_TRY(load_journal(paths.journal));
  return settle(paths, file, loaded)
      .context("finishing the interrupted edit of " + quoted(paths.image.native()));
}

}  // namespace imprint::image
