// Images and journals that recovery, or an edit, has to refuse.

#include <sys/file.h>

#include "image/redo_power_cut_fixture.hpp"

namespace imprint::image {
namespace {

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

}  // namespace
}  // namespace imprint::image
