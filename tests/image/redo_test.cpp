// Every way in which an edit in place can be cut off, and recovery with it: the image must be the
// old one or the new one, byte for byte. "Cut off" is a call that fails, all calls failing from
// there on, a process that dies, and a machine that loses power with the writes since the last
// fsync in any state.

#include <sys/stat.h>

#include "image/redo_fixture.hpp"

namespace imprint::image {
namespace {

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
