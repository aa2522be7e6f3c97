#include "folder.hpp"

namespace imprint::authority {
namespace {

using test::CaFolder;
using test::FailsWith;
using test::IsOk;
using test::kDay;
using test::open;

class LeafValidityTest : public testing::Test {
 protected:
  Authority authority_ = open(CaFolder()).value();  // 365 days
  TimePoint start_ = authority_.certificate().not_before();
  TimePoint end_ = authority_.certificate().not_after();
};

TEST_F(LeafValidityTest, CountsDaysFromTheStart) {
  const auto validity = leaf_validity(authority_, start_, 100);
  ASSERT_THAT(validity, IsOk());
  EXPECT_EQ(validity->not_before, start_);
  EXPECT_EQ(validity->not_after, start_ + 100 * kDay);
  EXPECT_FALSE(validity->cut);
}

TEST_F(LeafValidityTest, MayEndWithTheCa) {
  const auto validity = leaf_validity(authority_, start_, 365);
  ASSERT_THAT(validity, IsOk());
  EXPECT_EQ(validity->not_after, end_);
  EXPECT_FALSE(validity->cut);
}

TEST_F(LeafValidityTest, CutsAnExcessUnderADay) {
  const auto validity = leaf_validity(authority_, start_ + kDay - std::chrono::seconds(1), 365);
  ASSERT_THAT(validity, IsOk());
  EXPECT_EQ(validity->not_after, end_);
  EXPECT_TRUE(validity->cut);
}

TEST_F(LeafValidityTest, RefusesToOutliveTheCaByADay) {
  const auto refused = leaf_validity(authority_, start_ + kDay, 365);
  EXPECT_THAT(refused, FailsWith(Code::invalid_input,
                                 "a device certificate until " + to_rfc3339(end_ + kDay) +
                                     " would outlive its CA, which ends on " + to_rfc3339(end_)));
  EXPECT_THAT(refused, FailsWith(Code::invalid_input,
                                 "give at most 364 days, or use a CA that lasts longer"));
  EXPECT_THAT(leaf_validity(authority_, start_, std::nullopt),
              FailsWith(Code::invalid_input, "9999 (no expiry) would outlive its CA"));
  EXPECT_THAT(leaf_validity(authority_, end_, 1),
              FailsWith(Code::invalid_input, "; use a CA that lasts longer"));
}

TEST_F(LeafValidityTest, RefusesNoDaysAndTooMany) {
  EXPECT_THAT(leaf_validity(authority_, start_, 0), FailsWith(Code::invalid_input, "0 days"));
  EXPECT_THAT(leaf_validity(authority_, start_, 4'000'000'000U),
              FailsWith(Code::invalid_input, "past the year 9999"));
}

TEST(LeafValidity, HasNoEndWhereTheCaHasNone) {
  const CaFolder folder;
  const auto key = crypto::PrivateKey::generate(crypto::KeyKind::ec_p256).value();
  const crypto::CaSpec forever{.subject = {{crypto::NameField::common_name, "Forever"}},
                               .not_before = test::now() - kDay,
                               .not_after = crypto::kNoExpiry,
                               .path_length = std::nullopt};
  folder.write_key(text_of(key.to_pem().value().view()));
  AuthoritySource files = folder.files();
  files.certificate =
      folder.dir().write("forever.pem", crypto::make_ca_certificate(forever, key).value().to_pem());
  const auto authority = Authority::open(files, test::now());
  ASSERT_THAT(authority, IsOk());
  const auto validity = leaf_validity(*authority, test::now(), std::nullopt);
  ASSERT_THAT(validity, IsOk());
  EXPECT_EQ(validity->not_after, crypto::kNoExpiry);
  EXPECT_FALSE(validity->cut);
}

}  // namespace
}  // namespace imprint::authority
