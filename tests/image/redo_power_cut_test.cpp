// A machine that loses power during an edit in place: writes since the last fsync in any state.

#include "image/redo_power_cut_fixture.hpp"

namespace imprint::image {
namespace {

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

}  // namespace
}  // namespace imprint::image
