#include "imprint/authority/ca_init.hpp"

#include <sys/stat.h>

#include "folder.hpp"
#include "support/fault.hpp"

namespace imprint::authority {
namespace {

using crypto::NameField;
using imprint::test::slurp;
using test::FailsWith;
using test::IsOk;
using test::kDay;
using test::openssl;
using test::run_command;
using test::TempDir;

constexpr TimePoint kNow{std::chrono::seconds{1795176000}};  // 2026-11-20T12:00:00Z
const FixedClock kClock(kNow);

unsigned mode_of(const std::filesystem::path& path) {
  struct stat status {};

  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  return status.st_mode & 07777U;
}

CaInit request(const TempDir& dir) {
  CaInit init;
  init.directory = dir / "ca";
  return init;
}

class NewRoot : public testing::TestWithParam<crypto::KeyKind> {};

TEST_P(NewRoot, PassesStrictVerifiers) {
  // certtool knows no other time than the machine's.
  const TimePoint start = system_clock().now() - std::chrono::hours(1);
  const TempDir dir;
  CaInit init = request(dir);
  init.key = GetParam();
  const auto ca = ca_init(init, FixedClock(start));
  ASSERT_THAT(ca, IsOk());
  openssl({"verify", "-x509_strict", "-check_ss_sig", "-CAfile", ca->certificate, ca->certificate});
  openssl({"pkey", "-in", ca->key, "-check", "-noout"});
  EXPECT_EQ(openssl({"x509", "-in", ca->certificate, "-noout", "-pubkey"}),
            openssl({"pkey", "-in", ca->key, "-pubout"}));
  if (imprint::test::has_command("certtool")) {
    const auto judged = run_command({"certtool", "--verify-chain", "--infile", ca->certificate});
    EXPECT_NE(judged.out.find("Output: Verified."), std::string::npos) << judged.out << judged.err;
  }
  const auto authority = Authority::open(
      {.certificate = ca->certificate, .key = KeyFile{ca->key}, .passphrase = std::nullopt}, start);
  ASSERT_THAT(authority, IsOk());
  EXPECT_THAT(authority->warnings(), testing::IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Kinds, NewRoot,
                         testing::Values(crypto::KeyKind::ec_p256, crypto::KeyKind::ec_p384,
                                         crypto::KeyKind::ec_p521, crypto::KeyKind::rsa_2048,
                                         crypto::KeyKind::ed25519));

TEST(CaInit, WritesThreeFilesWithTheirModes) {
  const TempDir dir;
  const auto ca = ca_init(request(dir), kClock);
  ASSERT_THAT(ca, IsOk());
  EXPECT_EQ(mode_of(dir / "ca"), 0700U);
  EXPECT_EQ(mode_of(dir / "ca/ca-cert.pem"), 0644U);
  EXPECT_EQ(mode_of(dir / "ca/ca-private.key"), 0600U);
  EXPECT_EQ(mode_of(dir / "ca/chain.pem"), 0644U);
  EXPECT_EQ(slurp(ca->chain), slurp(ca->certificate));
  EXPECT_EQ(slurp(ca->certificate), ca->parsed.to_pem());
}

TEST(CaInit, LastsTwentyYearsUnlessToldOtherwise) {
  const TempDir dir;
  const auto ca = ca_init(request(dir), kClock);
  ASSERT_THAT(ca, IsOk());
  EXPECT_EQ(ca->parsed.not_before(), kNow);
  EXPECT_EQ(ca->parsed.not_after(), kNow + 7300 * kDay);
  EXPECT_EQ(ca->parsed.subject_text(), "CN=Imprint Device CA");
}

TEST(CaInit, WritesTheSubjectInItsOrder) {
  const TempDir dir;
  CaInit init = request(dir);
  init.subject = {{NameField::common_name, "Fleet CA"},
                  {NameField::organization, "My Organization"},
                  {NameField::country, "NO"},
                  {NameField::state, "Oslo"},
                  {NameField::email_address, "ops@ex.com"}};
  init.days = 30;
  const auto ca = ca_init(init, kClock);
  ASSERT_THAT(ca, IsOk());
  EXPECT_EQ(
      openssl({"x509", "-in", ca->certificate, "-noout", "-subject", "-nameopt", "oneline"}),
      "subject=CN = Fleet CA, O = My Organization, C = NO, ST = Oslo, emailAddress = ops@ex.com\n");
  EXPECT_EQ(ca->parsed.not_after(), kNow + 30 * kDay);
}

TEST(CaInit, EncryptsTheKeyWithAPassphrase) {
  const TempDir dir;
  CaInit init = request(dir);
  test::set_environment("IMPRINT_TEST_PASSPHRASE", "hunter2");
  init.passphrase = PassphraseSource{PassphraseSource::Kind::env, "IMPRINT_TEST_PASSPHRASE"};
  const auto ca = ca_init(init, kClock);
  ASSERT_THAT(ca, IsOk());
  EXPECT_NE(slurp(ca->key).find("BEGIN ENCRYPTED PRIVATE KEY"), std::string::npos);
  EXPECT_EQ(openssl({"pkey", "-in", ca->key, "-passin", "pass:hunter2", "-pubout"}),
            openssl({"x509", "-in", ca->certificate, "-noout", "-pubkey"}));
  test::set_environment("IMPRINT_TEST_PASSPHRASE", nullptr);
}

TEST(CaInit, NeverOverwrites) {
  for (const char* name : {"ca-cert.pem", "ca-private.key", "chain.pem"}) {
    const TempDir dir;
    std::filesystem::create_directory(dir / "ca");
    const auto path = dir.write(std::string("ca/") + name, "precious");
    EXPECT_THAT(
        ca_init(request(dir), kClock),
        FailsWith(Code::exists, "'" + path.string() + "' exists; a CA is never overwritten"));
    EXPECT_EQ(slurp(path), "precious");
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir / "ca"), {}), 1);
  }
}

TEST(CaInit, DoesNotFollowADanglingLink) {
  const TempDir dir;
  std::filesystem::create_directory(dir / "ca");
  std::filesystem::create_symlink(dir / "elsewhere", dir / "ca/ca-private.key");
  EXPECT_THAT(ca_init(request(dir), kClock), FailsWith(Code::exists, "ca-private.key' exists"));
  EXPECT_FALSE(std::filesystem::exists(dir / "elsewhere"));
}

TEST(CaInit, RefusesBadRequestsBeforeTouchingTheFolder) {
  const TempDir dir;
  const auto refused = [&](const CaInit& init, const std::string& message) {
    EXPECT_THAT(ca_init(init, kClock), FailsWith(Code::invalid_input, message));
    EXPECT_FALSE(std::filesystem::exists(dir / "ca"));
  };
  CaInit init = request(dir);
  init.days = 0;
  refused(init, "a CA for 0 days is never valid");
  init.days = 4'000'000'000U;
  refused(init, "past the year 9999");
  init = request(dir);
  init.subject = {{NameField::common_name, std::string(65, 'a')}};
  refused(init, "65 characters; a CN may have at most 64 (RFC 5280)");
  init = request(dir);
  init.passphrase = PassphraseSource{PassphraseSource::Kind::env, "IMPRINT_TEST_NOT_SET"};
  refused(init, "'IMPRINT_TEST_NOT_SET' is not set");
}

// Whichever system call fails: nothing half-made stays, and trying again works.
TEST(CaInit, LeavesNothingBehindWhenACallFails) {
  int failures = 0;
  for (int n = 1;; ++n) {
    const TempDir dir;
    {
      const imprint::test::FailNth fault(n, ENOSPC);
      const auto ca = ca_init(request(dir), kClock);
      if (!fault.fired()) {
        EXPECT_THAT(ca, IsOk());
        break;
      }
      ASSERT_FALSE(ca) << "call " << n << " failed unnoticed";
      ++failures;
    }
    EXPECT_FALSE(std::filesystem::exists(dir / "ca")) << "after failing call " << n;
    EXPECT_THAT(ca_init(request(dir), kClock), IsOk());
  }
  EXPECT_GE(failures, 8) << "a folder, three files written and synced, the folder synced";
}

}  // namespace
}  // namespace imprint::authority
