#include "imprint/authority/validity.hpp"

#include "folder.hpp"

namespace imprint::authority {
namespace {

using test::CaFolder;
using test::FailsWith;
using test::IsOk;
using test::kDay;
using test::open;

using namespace std::chrono_literals;

ValiditySpec for_days(std::uint32_t days) {
  return {.not_before = 0s, .not_after = days, .outlives_ca = OutlivesCa::error};
}

class LeafValidityTest : public testing::Test {
 protected:
  Authority authority_ = open(CaFolder()).value();  // 365 days
  TimePoint start_ = authority_.certificate().not_before();
  TimePoint end_ = authority_.certificate().not_after();
};

TEST_F(LeafValidityTest, CountsDaysFromTheStart) {
  const auto validity = leaf_validity(authority_, for_days(100), start_);
  ASSERT_THAT(validity, IsOk());
  EXPECT_EQ(validity->not_before, start_);
  EXPECT_EQ(validity->not_after, start_ + 100 * kDay);
  EXPECT_FALSE(validity->cut);
  EXPECT_TRUE(validity->notes.empty());
  EXPECT_TRUE(validity->warnings.empty());
}

TEST_F(LeafValidityTest, CountsDaysFromABackdatedStart) {
  ValiditySpec spec = for_days(100);
  spec.not_before = std::chrono::seconds(1h);
  const auto validity = leaf_validity(authority_, spec, start_ + kDay);
  ASSERT_THAT(validity, IsOk());
  EXPECT_EQ(validity->not_before, start_ + kDay - 1h);
  EXPECT_EQ(validity->not_after, start_ + 101 * kDay - 1h);
}

TEST_F(LeafValidityTest, TakesMomentsAsTheyAre) {
  const ValiditySpec spec{.not_before = start_ + 2 * kDay,
                          .not_after = start_ + 50 * kDay,
                          .outlives_ca = OutlivesCa::error};
  const auto validity = leaf_validity(authority_, spec, start_ + 3 * kDay);
  ASSERT_THAT(validity, IsOk());
  EXPECT_EQ(validity->not_before, start_ + 2 * kDay);
  EXPECT_EQ(validity->not_after, start_ + 50 * kDay);
  EXPECT_TRUE(validity->warnings.empty());
}

TEST_F(LeafValidityTest, WarnsOfAStartThatIsYetToCome) {
  ValiditySpec spec = for_days(10);
  spec.not_before = start_ + 2 * kDay;
  const auto validity = leaf_validity(authority_, spec, start_);
  ASSERT_THAT(validity, IsOk());
  EXPECT_EQ(validity->warnings,
            (std::vector{"certificates are not valid before " + to_rfc3339(start_ + 2 * kDay) +
                         " (now it is " + to_rfc3339(start_) + ")"}));
}

TEST_F(LeafValidityTest, MayEndWithTheCa) {
  const auto validity = leaf_validity(authority_, for_days(365), start_);
  ASSERT_THAT(validity, IsOk());
  EXPECT_EQ(validity->not_after, end_);
  EXPECT_FALSE(validity->cut);
}

TEST_F(LeafValidityTest, CutsAnExcessUnderADay) {
  const auto validity = leaf_validity(authority_, for_days(365), start_ + kDay - 1s);
  ASSERT_THAT(validity, IsOk());
  EXPECT_EQ(validity->not_after, end_);
  EXPECT_TRUE(validity->cut);
  EXPECT_EQ(validity->notes,
            (std::vector<std::string>{"certificates end with their CA, up to a day early"}));
}

TEST_F(LeafValidityTest, RefusesToOutliveTheCaByADay) {
  const auto refused = leaf_validity(authority_, for_days(365), start_ + kDay);
  EXPECT_THAT(refused, FailsWith(Code::invalid_input,
                                 "a certificate until " + to_rfc3339(end_ + kDay) +
                                     " would outlive its CA, which ends on " + to_rfc3339(end_) +
                                     "; give at most 364 days, or use a CA that lasts longer"));
  ValiditySpec forever = for_days(1);
  forever.not_after = crypto::kNoExpiry;
  EXPECT_THAT(leaf_validity(authority_, forever, start_),
              FailsWith(Code::invalid_input,
                        "a certificate until 9999 (no expiry) would outlive its CA, which "
                        "ends on " +
                            to_rfc3339(end_) + "; end by " + to_rfc3339(end_) +
                            ", or use a CA that lasts longer"));
}

TEST_F(LeafValidityTest, TruncatesBothEndsWhenTold) {
  const ValiditySpec spec{.not_before = std::chrono::seconds(2 * kDay),
                          .not_after = crypto::kNoExpiry,
                          .outlives_ca = OutlivesCa::truncate};
  const auto validity = leaf_validity(authority_, spec, start_ + kDay);
  ASSERT_THAT(validity, IsOk());
  EXPECT_EQ(validity->not_before, start_);
  EXPECT_EQ(validity->not_after, end_);
  EXPECT_TRUE(validity->cut);
  EXPECT_EQ(validity->notes,
            (std::vector<std::string>{"certificates begin with their CA on " + to_rfc3339(start_) +
                                          ", not on " + to_rfc3339(start_ - kDay),
                                      "certificates end with their CA on " + to_rfc3339(end_) +
                                          ", not in 9999 (no expiry)"}));
  EXPECT_TRUE(validity->warnings.empty());
}

TEST_F(LeafValidityTest, PermitsBothEndsWithAWarning) {
  const ValiditySpec spec{.not_before = start_ - kDay,
                          .not_after = crypto::kNoExpiry,
                          .outlives_ca = OutlivesCa::permit};
  const auto validity = leaf_validity(authority_, spec, start_);
  ASSERT_THAT(validity, IsOk());
  EXPECT_EQ(validity->not_before, start_ - kDay);
  EXPECT_EQ(validity->not_after, crypto::kNoExpiry);
  EXPECT_FALSE(validity->cut);
  EXPECT_EQ(validity->warnings,
            (std::vector<std::string>{
                "certificates begin on " + to_rfc3339(start_ - kDay) +
                    ", before their CA, which begins on " + to_rfc3339(start_) +
                    ": in between nobody can verify them",
                "certificates are valid until 9999 (no expiry) and outlive their CA, which "
                "ends on " +
                    to_rfc3339(end_) +
                    ": after that they verify only under a renewed certificate of the CA"}));
}

TEST_F(LeafValidityTest, RefusesToBeginBeforeTheCa) {
  ValiditySpec spec = for_days(10);
  spec.not_before = std::chrono::seconds(1);
  EXPECT_THAT(
      leaf_validity(authority_, spec, start_),
      FailsWith(Code::invalid_input,
                "a certificate from " + to_rfc3339(start_ - 1s) +
                    " would begin before its CA, which begins on " + to_rfc3339(start_) +
                    "; before that nobody can verify it: begin later, or say \"outlives_ca\": "
                    "\"truncate\" to begin with the CA"));
}

TEST_F(LeafValidityTest, RefusesWhatIsNeverValid) {
  for (const OutlivesCa policy : {OutlivesCa::error, OutlivesCa::truncate, OutlivesCa::permit}) {
    ValiditySpec spec{.not_before = end_, .not_after = end_ + kDay, .outlives_ca = policy};
    EXPECT_THAT(leaf_validity(authority_, spec, start_),
                FailsWith(Code::invalid_input,
                          "a certificate from " + to_rfc3339(end_) +
                              " would begin after its CA has ended, on " + to_rfc3339(end_) +
                              "; begin earlier, or use a CA that lasts longer"));
    spec = {.not_before = start_ + kDay, .not_after = start_ + kDay, .outlives_ca = policy};
    EXPECT_THAT(leaf_validity(authority_, spec, start_),
                FailsWith(Code::invalid_input, "is never valid"));
    spec = {.not_before = start_ - 2 * kDay, .not_after = start_ - kDay, .outlives_ca = policy};
    EXPECT_THAT(leaf_validity(authority_, spec, start_),
                FailsWith(Code::invalid_input, "a certificate until " + to_rfc3339(start_ - kDay) +
                                                   " has ended already (now it is " +
                                                   to_rfc3339(start_) + ")"));
    spec = {.not_before = TimePoint(-700'000'000s), .not_after = end_, .outlives_ca = policy};
    EXPECT_THAT(leaf_validity(authority_, spec, start_),
                FailsWith(Code::invalid_input,
                          "1947-10-27T03:33:20Z is before 1950, where the times of certificates "
                          "begin"));
  }
}

TEST_F(LeafValidityTest, RefusesNoDaysAndTooMany) {
  EXPECT_THAT(leaf_validity(authority_, for_days(0), start_),
              FailsWith(Code::invalid_input, "0 days"));
  EXPECT_THAT(leaf_validity(authority_, for_days(4'000'000'000U), start_),
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
  ValiditySpec spec = for_days(1);
  spec.not_after = crypto::kNoExpiry;
  const auto validity = leaf_validity(*authority, spec, test::now());
  ASSERT_THAT(validity, IsOk());
  EXPECT_EQ(validity->not_after, crypto::kNoExpiry);
  EXPECT_FALSE(validity->cut);
}

}  // namespace
}  // namespace imprint::authority
