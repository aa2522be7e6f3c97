// Every way in which an edit in place can be cut off, and recovery with it: the image must be the
// old one or the new one, byte for byte. "Cut off" is a call that fails, all calls failing from
// there on, a process that dies, and a machine that loses power with the writes since the last
// fsync in any state.

#include "imprint/image/redo.hpp"

#include <cstdlib>
#include <random>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "ext_image.hpp"
#include "imprint/image/canvas.hpp"
#include "support/command.hpp"
#include "support/fault.hpp"
#include "support/matchers.hpp"

namespace imprint::image {
namespace {

using imprint::test::FailNth;
using imprint::test::FailsWith;
using imprint::test::IsOk;
using imprint::test::ScopedFaultHook;
using imprint::test::TempDir;

constexpr std::string_view kNote = "row 7 of the ledger";
constexpr std::string_view kOldKey = "OLD-PRIVATE-KEY";
constexpr std::string_view kNewKey = "NEW-PRIVATE-KEY";
/// At no block boundary of the image: blocks and sectors must not be mixed up.
constexpr std::uint64_t kOffset = std::uint64_t{7} * 512;

[[nodiscard]] std::string content_of(std::string_view word, std::size_t lines) {
  std::string text;
  for (std::size_t i = 0; i < lines; ++i)
    text += std::string(word) + std::to_string(i) + "\n";
  return text;
}

[[nodiscard]] std::string bytes_in(const fs::path& path) {
  const auto bytes = read_file(path);
  EXPECT_THAT(bytes, IsOk());
  return bytes ? std::string(text_of(*bytes)) : std::string();
}

void overwrite(const fs::path& path, std::string_view bytes) {
  std::error_code none;
  fs::remove(path, none);
  File file = File::create_new(path, 0600).value();
  ASSERT_THAT(file.write_all(0, bytes_of(bytes)), IsOk());
}

class Redo : public testing::Test {
 protected:
  /// Thousands of runs, each with several fsyncs: in memory where there is such a file system.
  /// (What an fsync is for is proved by the power cuts below, which no real disk would give us.)
  static void SetUpTestSuite() {
    // No other thread yet. NOLINTNEXTLINE(concurrency-mt-unsafe)
    if (fs::is_directory("/dev/shm")) ::setenv("TMPDIR", "/dev/shm", 0);
  }

  void SetUp() override {
    IMPRINT_NEED_COMMAND("mke2fs");
    made_ = std::make_unique<test::ExtImage>(
        test::ExtShape{.name = "small",
                       .options = {"-t", "ext4", "-b", "1024", "-O", "^has_journal", "-N", "32"},
                       .size_bytes = 160U << 10,
                       .offset_bytes = kOffset});
    image_ = made_->path();
    // The old image has a key already, which the edit replaces and zeroes.
    ASSERT_THAT(make_patch({{"key.pem", content_of(kOldKey, 70)}}).apply_to(image_), IsOk());
    old_ = bytes_in(image_);
    edit_ = make_patch(
        {{"key.pem", content_of(kNewKey, 60)}, {"cert.pem", content_of("CERTIFICATE", 40)}});
    overwrite(made_->dir() / "new", old_);
    ASSERT_THAT(edit_.apply_to(made_->dir() / "new"), IsOk());
    new_ = bytes_in(made_->dir() / "new");
    ASSERT_NE(old_, new_);
    ASSERT_NE(old_.find(kOldKey), std::string::npos);
    ASSERT_NE(new_.find(kNewKey), std::string::npos);
    ASSERT_EQ(new_.find(kOldKey), std::string::npos) << "the old key was not zeroed";
  }

  struct Edit {
    Patch patch;
    std::vector<std::shared_ptr<const Volume::FreeMap>> maps;

    [[nodiscard]] Result<> apply_to(const fs::path& path) const {
      File file = IMPRINT_TRY(File::open_read_write(path));
      return patch.apply(file);
    }
  };

  [[nodiscard]] Edit make_patch(
      const std::vector<std::pair<std::string, std::string>>& files) const {
    Edit edit;
    const FileImage image = FileImage::open(image_).value();
    Canvas canvas(image);
    auto volume = Volume::open_edit(canvas, made_->partition(), test::edit_time()).value();
    edit.maps.push_back(volume.original_free_map());
    for (const auto& [name, text] : files) {
      EXPECT_THAT(volume.write_file(kRootInode, name, bytes_of(text), test::attributes(0600)),
                  IsOk());
    }
    EXPECT_THAT(volume.commit(), IsOk());
    edit.patch = canvas.patch().value();
    return edit;
  }

  [[nodiscard]] Result<> apply() const {
    return InPlaceEdit::apply(image_, edit_.patch, edit_.maps, kNote, nullptr, survives_);
  }

  Survives survives_ = Survives::power_cut;

  [[nodiscard]] fs::path journal() const {
    return image_.parent_path() / ".image.img.imprint-redo";
  }

  [[nodiscard]] fs::path new_journal() const {
    return image_.parent_path() / ".image.img.imprint-redo.new";
  }

  void reset() const {
    std::error_code none;
    fs::remove(journal(), none);
    fs::remove(new_journal(), none);
    // In place, keeping the inode: what other tests hold locks on.
    File file = File::open_read_write(image_).value();
    ASSERT_THAT(file.write_all(0, bytes_of(old_)), IsOk());
  }

  /// What an interrupted edit has left, to be put back.
  struct Left {
    std::string image;
    std::optional<std::string> journal;
    std::optional<std::string> new_journal;
  };

  [[nodiscard]] Left what_is_left() const {
    const auto maybe = [](const fs::path& path) {
      return fs::exists(path) ? std::optional(bytes_in(path)) : std::nullopt;
    };
    return Left{bytes_in(image_), maybe(journal()), maybe(new_journal())};
  }

  void restore(const Left& left) const {
    reset();
    File file = File::open_read_write(image_).value();
    ASSERT_THAT(file.write_all(0, bytes_of(left.image)), IsOk());
    if (left.journal) overwrite(journal(), *left.journal);
    if (left.new_journal) overwrite(new_journal(), *left.new_journal);
  }

  void expect_settled(const std::string& when) const {
    const std::string now = bytes_in(image_);
    EXPECT_TRUE(now == old_ || now == new_) << when << ": neither the old image nor the new one";
    EXPECT_FALSE(fs::exists(journal())) << when;
    EXPECT_FALSE(fs::exists(new_journal())) << when;
  }

  /// What recover() says must agree with what the image is.
  void expect_recovery(const std::string& when) const {
    const auto recovery = recover(image_);
    ASSERT_THAT(recovery, IsOk()) << when;
    const std::string now = bytes_in(image_);
    if (recovery->outcome == Recovery::Outcome::rolled_forward) {
      EXPECT_TRUE(now == new_) << when;
    }
    if (recovery->outcome == Recovery::Outcome::rolled_back) {
      EXPECT_TRUE(now == old_) << when;
    }
    if (recovery->outcome != Recovery::Outcome::nothing_to_do) {
      EXPECT_EQ(recovery->note, kNote) << when;
    }
    expect_settled(when);
  }

  /// Runs `action` in a child that dies at its Nth changing call. False when it made fewer.
  template <class Action>
  [[nodiscard]] static bool dies_at(int nth, Action action) {
    constexpr int kDied = 42;
    const pid_t child = ::fork();
    if (child == 0) {
      int calls = 0;
      sys::set_fault_hook([&](std::string_view /*operation*/) {
        if (++calls == nth) ::_exit(kDied);
        return 0;
      });
      (void)action();
      ::_exit(0);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status));
    return WEXITSTATUS(status) == kDied;
  }

  std::unique_ptr<test::ExtImage> made_;
  fs::path image_;
  std::string old_;
  std::string new_;
  Edit edit_;
};

TEST_F(Redo, MakesTheNewImageAndLeavesNoJournal) {
  ASSERT_THAT(apply(), IsOk());
  EXPECT_TRUE(bytes_in(image_) == new_);
  expect_settled("after apply");
  const auto recovery = recover(image_);
  ASSERT_THAT(recovery, IsOk());
  EXPECT_EQ(recovery->outcome, Recovery::Outcome::nothing_to_do);
}

TEST_F(Redo, OldAndNewImageAreSoundToE2fsck) {
  IMPRINT_NEED_COMMAND("e2fsck");
  for (const std::string& whole : {old_, new_}) {
    const fs::path alone = made_->dir() / "alone";
    overwrite(alone, std::string_view(whole).substr(kOffset, 160U << 10));
    const auto checked = imprint::test::run_command({"e2fsck", "-fn", alone.native()});
    EXPECT_EQ(checked.status, 0) << checked.out;
  }
}

TEST_F(Redo, EveryCallFailingOnce) {
  // Without waiting for the disk, too: what a process leaves behind, the next one sees.
  for (const Survives survives : {Survives::power_cut, Survives::kill}) {
    survives_ = survives;
    for (int n = 1;; ++n) {
      reset();
      bool fired = false;
      {
        const FailNth fault(n);
        const auto applied = apply();
        fired = fault.fired();
        if (!fired) {
          ASSERT_THAT(applied, IsOk());
        }
        if (applied) {
          EXPECT_TRUE(bytes_in(image_) == new_) << n;
        }
        // What the error promises.
        if (!applied && applied.error().message().find("it is unchanged") != std::string::npos) {
          EXPECT_TRUE(bytes_in(image_) == old_) << n;
          EXPECT_FALSE(fs::exists(journal())) << n;
        }
      }
      expect_recovery("call " + std::to_string(n));
      if (!fired) break;
    }
  }
}

TEST_F(Redo, EveryCallFailingFromSomeOneOn) {
  for (const int error_number : {EIO, ENOSPC}) {
    for (int n = 1;; ++n) {
      reset();
      bool fired = false;
      {
        const FailNth fault(n, error_number, true);
        (void)apply();
        fired = fault.fired();
      }
      expect_recovery("from call " + std::to_string(n));
      if (!fired) break;
    }
  }
}

TEST_F(Redo, DyingAtEveryCall) {
  // Without waiting for the disk, too: what a process leaves behind, the next one sees.
  for (const Survives survives : {Survives::power_cut, Survives::kill}) {
    survives_ = survives;
    bool saw_old = false;
    bool saw_new = false;
    for (int n = 1;; ++n) {
      reset();
      const bool died = dies_at(n, [&] { return apply(); });
      for (const fs::path& file : {journal(), new_journal()}) {
        if (fs::exists(file)) {
          EXPECT_EQ(bytes_in(file).find(kNewKey), std::string::npos) << n;
        }
      }
      expect_recovery("death at call " + std::to_string(n));
      (bytes_in(image_) == old_ ? saw_old : saw_new) = true;
      if (!died) break;
    }
    EXPECT_TRUE(saw_old);
    EXPECT_TRUE(saw_new);
  }
}

TEST_F(Redo, FaultsDuringRecoveryToo) {
  for (int n = 1;; ++n) {
    reset();
    const bool died = dies_at(n, [&] { return apply(); });
    const Left left = what_is_left();
    for (int m = 1;; ++m) {
      const std::string when =
          "death at call " + std::to_string(n) + ", then trouble at call " + std::to_string(m);
      for (const bool persistent : {false, true}) {
        restore(left);
        {
          const FailNth fault(m, EIO, persistent);
          (void)recover(image_);
        }
        expect_recovery(when);
      }
      restore(left);
      const bool died_again = dies_at(m, [&] { return recover(image_); });
      expect_recovery(when);
      if (!died_again) break;
    }
    if (!died) break;
  }
}

// --- power cuts
// -----------------------------------------------------------------------------------

class RedoPowerCut : public Redo {
 protected:
  /// The files as the process sees them before one of its calls.
  struct Moment {
    std::string operation;
    Left left;
  };

  void record() {
    reset();
    const auto look = [&](std::string_view operation) {
      moments_.push_back(Moment{std::string(operation), what_is_left()});
      return 0;
    };
    {
      const ScopedFaultHook hook(look);
      ASSERT_THAT(apply(), IsOk());
    }
    (void)look("end");
  }

  /// Moments before an fsync, in order: of the journal, the directory, the image, the journal, the
  /// image, the directory. The proof that this is what is synced: every cut below.
  [[nodiscard]] std::vector<std::size_t> syncs() const {
    std::vector<std::size_t> at;
    for (std::size_t i = 0; i < moments_.size(); ++i) {
      if (moments_[i].operation == "fsync") at.push_back(i);
    }
    return at;
  }

  /// What the disk may hold of a file whose last synced and present contents are these: each sector
  /// either.
  [[nodiscard]] static std::string mixed(const std::string& synced, const std::string& present,
                                         std::mt19937& random) {
    std::string out = present;
    for (std::size_t at = 0; at < synced.size() && at < out.size(); at += 512) {
      if ((random() & 1U) != 0) out.replace(at, 512, synced, at, 512);
    }
    return out;
  }

  void cut(const std::string& image, const std::optional<std::string>& journal_bytes,
           const std::string& when) {
    restore(Left{image, journal_bytes, std::nullopt});
    expect_recovery(when);
  }

  std::vector<Moment> moments_;
};

TEST_F(RedoPowerCut, AnySectorsSinceTheLastSyncMayBeLost) {
  record();
  const auto sync = syncs();
  ASSERT_EQ(sync.size(), 6U);
  const std::size_t named = sync[1];  // from here on the journal may be there, after it it is
  std::mt19937 random(1);
  for (std::size_t k = 0; k < moments_.size(); ++k) {
    std::size_t synced_image = 0;
    if (k > sync[2]) synced_image = sync[2];
    if (k > sync[4]) synced_image = sync[4];
    for (int round = 0; round < 8; ++round) {
      const std::string when = "power cut at call " + std::to_string(k);
      const std::string image =
          mixed(moments_[synced_image].left.image, moments_[k].left.image, random);
      // Before the directory is synced the journal may have its name or not.
      if (k <= named) cut(image, std::nullopt, when + ", no journal");
      if (k == moments_.size() - 1 || k >= sync[5]) {
        cut(image, std::nullopt, when + ", journal gone");
        cut(image, moments_[sync[4]].left.journal, when + ", journal back again");
      } else if (k >= named && moments_[k].left.journal) {
        const std::string& unmarked = *moments_[sync[2]].left.journal;
        cut(image,
            k > sync[3] ? *moments_[k].left.journal
                        : mixed(unmarked, *moments_[k].left.journal, random),
            when);
      }
    }
  }
}

TEST_F(RedoPowerCut, ATornMarkIsNoMark) {
  record();
  const auto sync = syncs();
  const std::string marked = *moments_[sync[3]].left.journal;
  for (std::size_t kept = 0; kept < 32; ++kept) {
    std::string torn = marked;
    torn.replace(torn.size() - 32 + kept, 32 - kept, 32 - kept, '\0');
    cut(moments_[sync[3]].left.image, torn, "mark torn at " + std::to_string(kept));
    EXPECT_TRUE(bytes_in(image_) == old_);
  }
}

TEST_F(RedoPowerCut, TheJournalNeverHoldsTheKey) {
  record();
  bool seen = false;
  for (const Moment& moment : moments_) {
    for (const auto& bytes : {moment.left.journal, moment.left.new_journal}) {
      if (!bytes) continue;
      seen = true;
      EXPECT_EQ(bytes->find(kNewKey), std::string::npos) << moment.operation;
      // Replaced, so only the zeros for it are in the journal.
      EXPECT_EQ(bytes->find(kOldKey), std::string::npos) << moment.operation;
      // Written after the old key's block was given up, which must not serve again in the same
      // edit.
      EXPECT_EQ(bytes->find("CERTIFICATE"), std::string::npos) << moment.operation;
    }
  }
  EXPECT_TRUE(seen);
}

// --- what must be refused
// -------------------------------------------------------------------------

class RedoRefuses : public RedoPowerCut {
 protected:
  /// An edit that died after its decision, or before.
  void interrupt(bool decided) {
    record();
    restore(moments_[decided ? syncs()[4] : syncs()[2]].left);
  }

  /// An offset at which old and new image differ, in a block that was free (or not).
  [[nodiscard]] std::uint64_t changed_at(bool was_free_block) const {
    for (const Write& write : edit_.patch.writes) {
      for (std::size_t i = 0; i < write.bytes.size(); ++i) {
        if (old_[write.offset + i] == new_[write.offset + i]) continue;
        if (was_free(*edit_.maps.front(), write.offset + i, 1) == was_free_block)
          return write.offset + i;
      }
    }
    ADD_FAILURE() << "nothing changed there";
    return 0;
  }

  void expect_refused(Code code, const std::string& message) {
    const std::string before = bytes_in(image_);
    const std::string journal_before = bytes_in(journal());
    EXPECT_THAT(recover(image_), FailsWith(code, message));
    EXPECT_TRUE(bytes_in(image_) == before) << "the image was touched";
    EXPECT_EQ(bytes_in(journal()), journal_before);
  }

  void poke(std::uint64_t offset, std::string_view bytes) {
    File file = File::open_read_write(image_).value();
    ASSERT_THAT(file.write_all(offset, bytes_of(bytes)), IsOk());
  }
};

TEST_F(RedoRefuses, AnImageThatWasChangedSince) {
  for (const bool decided : {false, true}) {
    for (const bool free_block : {false, true}) {
      moments_.clear();
      interrupt(decided);
      poke(changed_at(free_block), "\x7e");
      expect_refused(Code::corrupt,
                     "image.img' was replaced or changed after an edit of it was interrupted");
    }
  }
}

TEST_F(RedoRefuses, TheOldImagePutBackAfterTheDecision) {
  interrupt(true);
  poke(0, old_);
  expect_refused(Code::corrupt, "remove the journal '");
}

TEST_F(RedoRefuses, AnImageOfAnotherSize) {
  interrupt(true);
  fs::resize_file(image_, old_.size() + 512);
  expect_refused(Code::corrupt, "was replaced or changed");
}

TEST_F(RedoRefuses, AJournalWithAnyByteChanged) {
  interrupt(true);
  const std::string good = bytes_in(journal());
  // All of the header, then every 37th byte up to the mark.
  for (std::size_t at = 0; at < good.size() - 32; at += at < 64 ? 1 : 37) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x20);
    overwrite(journal(), bad);
    const bool version = at >= 8 && at < 12;
    expect_refused(
        version ? Code::unsupported : Code::corrupt,
        version ? "finish it with the imprint that wrote it" : "is damaged; nothing was touched");
  }
}

TEST_F(RedoRefuses, AJournalOfAnyOtherLength) {
  interrupt(true);
  const std::string good = bytes_in(journal());
  for (std::size_t size = 0; size < good.size(); size += size < 64 ? 1 : 53) {
    overwrite(journal(), good.substr(0, size));
    expect_refused(Code::corrupt, "is damaged");
  }
  overwrite(journal(), good + "x");
  expect_refused(Code::corrupt, "is damaged");
}

TEST_F(RedoRefuses, ASecondEditBeforeTheFirstIsSettled) {
  interrupt(true);
  EXPECT_THAT(apply(), FailsWith(Code::busy, "an earlier edit of"));
  expect_recovery("after the refusal");
}

TEST_F(RedoRefuses, AnImageThatSomebodyElseIsEditing) {
  interrupt(true);
  {
    const File other = File::open_read(image_).value();
    ASSERT_EQ(::flock(other.fd(), LOCK_EX), 0);
    EXPECT_THAT(apply(), FailsWith(Code::busy, "another run is writing to '"));
    EXPECT_THAT(recover(image_), FailsWith(Code::busy, "another run is writing to '"));
  }
  expect_recovery("when it is done");
}

TEST_F(RedoRefuses, AnImageThatChangedSinceThePlan) {
  const FileImage planned = FileImage::open(image_).value();
  ::usleep(20'000);  // the clock of time stamps ticks every few milliseconds
  poke(0, "x");
  EXPECT_THAT(InPlaceEdit::apply(image_, edit_.patch, edit_.maps, kNote, &planned),
              FailsWith(Code::busy, "was changed by somebody else meanwhile"));
  poke(0, old_);
  const FileImage again = FileImage::open(image_).value();
  EXPECT_THAT(InPlaceEdit::apply(image_, edit_.patch, edit_.maps, kNote, &again), IsOk());
}

TEST_F(RedoRefuses, AnEditBeyondTheEnd) {
  Patch patch;
  patch.writes.push_back(Write{old_.size() - 1, crypto::WipedBytes(2)});
  EXPECT_THAT(InPlaceEdit::apply(image_, patch, {}, kNote),
              FailsWith(Code::internal, "beyond its end"));
  expect_settled("after the refusal");
}

TEST_F(Redo, AMissingImageIsSaidByName) {
  fs::remove(image_);
  EXPECT_THAT(apply(), FailsWith(Code::not_found, "image.img'"));
  EXPECT_THAT(recover(image_), IsOk());  // nothing to recover; opening it is another's affair
}

TEST_F(Redo, AnEditThroughASymbolicLinkIsFoundFromTheFile) {
  const TempDir elsewhere;
  fs::create_symlink(image_, elsewhere / "link.sdimg");
  int calls = 0;
  {
    const ScopedFaultHook hook([&](std::string_view operation) {
      return operation == "fsync" && ++calls >= 5 ? EIO : 0;  // after the decision
    });
    EXPECT_THAT(InPlaceEdit::apply(elsewhere / "link.sdimg", edit_.patch, edit_.maps, kNote),
                FailsWith(Code::io, "run the command again to finish it"));
  }
  EXPECT_TRUE(fs::exists(journal()));
  expect_recovery("from the other name");
}

TEST_F(Redo, TheJournalIsPrivate) {
  unsigned mode = 0;
  {
    const ScopedFaultHook hook([&](std::string_view /*operation*/) {
      struct stat status = {};
      if (::stat(journal().c_str(), &status) == 0) mode = status.st_mode & 07777U;
      return 0;
    });
    ASSERT_THAT(apply(), IsOk());
  }
  EXPECT_EQ(mode, 0600U);
}

TEST_F(Redo, WithoutFreeMapsEverythingGoesThroughTheJournal) {
  ASSERT_THAT(InPlaceEdit::apply(image_, edit_.patch, {}, kNote), IsOk());
  EXPECT_TRUE(bytes_in(image_) == new_);
}

}  // namespace
}  // namespace imprint::image
