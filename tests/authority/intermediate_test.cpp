// CAs below CAs: what ca_init writes for them, by OpenSSL's and GnuTLS' judgement, and what it
// refuses.

#include "folder.hpp"
#include "imprint/authority/ca_init.hpp"

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

/// The real time, less an hour: certtool knows no other time than the machine's.
const TimePoint kStart = system_clock().now() - std::chrono::hours(1);
const FixedClock kClock(kStart);

AuthoritySource source_of(const NewCa& ca) {
  return {.certificate = ca.certificate,
          .key = KeyFile{ca.key},
          .passphrase = std::nullopt,
          .chain = ca.chain};
}

/// `root`, and what is made below it.
class Hierarchy : public testing::Test {
 protected:
  NewCa make(const std::string& name, const NewCa* parent, const CaInit& more = {}) {
    auto made = ca_init(request(name, parent, more), kClock);
    EXPECT_THAT(made, IsOk());
    return std::move(*made);
  }

  CaInit request(const std::string& name, const NewCa* parent, CaInit more = {}) {
    more.directory = dir_ / name;
    if (more.subject.empty()) more.subject = {{NameField::common_name, name}};
    if (parent != nullptr) more.parent = source_of(*parent);
    return more;
  }

  void refused(const CaInit& init, const std::string& message) {
    EXPECT_THAT(ca_init(init, kClock), FailsWith(Code::invalid_input, message));
    EXPECT_FALSE(std::filesystem::exists(init.directory));
  }

  TempDir dir_;
};

TEST_F(Hierarchy, AnIntermediateVerifiesUpToItsRoot) {
  CaInit rsa;
  rsa.key = crypto::KeyKind::rsa_2048;
  const NewCa root = make("Root", nullptr, rsa);
  CaInit ed;
  ed.key = crypto::KeyKind::ed25519;
  ed.path_length = 1;
  const NewCa policy = make("Policy", &root, ed);
  const NewCa issuing = make("Issuing", &policy);
  openssl({"verify", "-x509_strict", "-CAfile", root.certificate, "-untrusted", policy.certificate,
           issuing.certificate});
  EXPECT_EQ(issuing.parsed.path_length(), 0);
  EXPECT_EQ(policy.parsed.path_length(), 1);
  EXPECT_EQ(issuing.parsed.not_after(), root.parsed.not_after());
  EXPECT_EQ(slurp(issuing.chain),
            slurp(issuing.certificate) + slurp(policy.certificate) + slurp(root.certificate));
  ASSERT_TRUE(issuing.gateway);
  EXPECT_EQ(*issuing.gateway, dir_ / "Issuing/gateway-ca.pem");
  EXPECT_EQ(slurp(*issuing.gateway), slurp(issuing.chain));
  EXPECT_THAT(issuing.warnings, testing::IsEmpty());
  if (imprint::test::has_command("certtool")) {
    const auto judged = run_command({"certtool", "--verify-chain", "--infile", issuing.chain});
    EXPECT_NE(judged.out.find("Chain verification output: Verified."), std::string::npos)
        << judged.out << judged.err;
  }
}

TEST_F(Hierarchy, ItsDevicesVerifyWithTheGatewaysFile) {
  const NewCa root = make("Root", nullptr);
  const NewCa issuing = make("Issuing", &root);
  const auto authority = Authority::open(source_of(issuing), kStart);
  ASSERT_THAT(authority, IsOk());
  EXPECT_THAT(authority->warnings(), testing::IsEmpty());
  ASSERT_EQ(authority->chain().size(), 1U);
  EXPECT_EQ(authority->chain().front().subject_text(), "CN=Root");
  // A device by openssl: the gateway's file alone is enough, whatever made the leaf.
  openssl({"req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
           "-keyout", dir_ / "d.key", "-subj", "/CN=d", "-out", dir_ / "d.csr"});
  openssl({"x509", "-req", "-in", dir_ / "d.csr", "-CA", issuing.certificate, "-CAkey", issuing.key,
           "-days", "10", "-out", dir_ / "d.pem"});
  openssl({"verify", "-purpose", "sslclient", "-CAfile", *issuing.gateway, dir_ / "d.pem"});
  // And alone it is not.
  EXPECT_NE(run_command({"openssl", "verify", "-CAfile", root.certificate, dir_ / "d.pem"}).status,
            0);
}

TEST_F(Hierarchy, ARootWritesNoGatewayFile) {
  const NewCa root = make("Root", nullptr);
  EXPECT_FALSE(root.gateway);
  EXPECT_FALSE(std::filesystem::exists(dir_ / "Root/gateway-ca.pem"));
}

TEST_F(Hierarchy, WarnsWhenTheRootIsNotKnown) {
  const NewCa root = make("Root", nullptr);
  CaInit one;
  one.path_length = 1;
  const NewCa policy = make("Policy", &root, one);
  CaInit init = request("Issuing", nullptr);
  init.parent = source_of(policy);
  init.parent->chain.reset();
  const auto issuing = ca_init(init, kClock);
  ASSERT_THAT(issuing, IsOk());
  ASSERT_EQ(issuing->warnings.size(), 1U);
  EXPECT_EQ(issuing->warnings.front(),
            "the root above the parent is not known here, and most verifiers want it; append it "
            "to '" +
                issuing->chain.string() + "' and '" + issuing->gateway->string() + "'");
}

TEST_F(Hierarchy, KeepsToTheParentsPathLength) {
  const NewCa root = make("Root", nullptr);
  CaInit two;
  two.path_length = 2;
  const NewCa high = make("High", &root, two);
  CaInit same = request("Same", &high);
  same.path_length = 2;
  refused(same, "the path length 2 is not below the parent's, which is 2; give at most 1");
  const NewCa issuing = make("Issuing", &high);
  refused(request("Below", &issuing),
          "the parent's path length is 0: it may issue devices, but no CA below it");
}

TEST_F(Hierarchy, DoesNotOutliveTheParent) {
  CaInit year;
  year.days = 365;
  const NewCa root = make("Root", nullptr, year);
  CaInit longer = request("Longer", &root);
  longer.days = 400;
  refused(longer, "would outlive its parent, which ends on " + to_rfc3339(root.parsed.not_after()) +
                      "; give at most 365 days");
  CaInit default_days = request("Default", &root);
  const auto made = ca_init(default_days, kClock);
  ASSERT_THAT(made, IsOk());
  EXPECT_EQ(made->parsed.not_after(), root.parsed.not_after());
}

TEST_F(Hierarchy, RefusesTheParentsOwnName) {
  const NewCa root = make("Root", nullptr);
  CaInit twin = request("twin", &root);
  twin.subject = {{NameField::common_name, "Root"}};
  refused(twin, "the subject 'CN=Root' is the parent's own");
}

TEST_F(Hierarchy, RefusesAParentThatIsNoCa) {
  const test::CaFolder leaf("basicConstraints=critical,CA:FALSE\n");
  CaInit init = request("Below", nullptr);
  init.parent = leaf.files();
  EXPECT_THAT(
      ca_init(init, FixedClock(test::now())),
      FailsWith(Code::invalid_input, "the parent: CA certificate '" + leaf.certificate().string() +
                                         "': is no CA certificate"));
}

TEST_F(Hierarchy, HasANameOfItsOwnWhenNoneIsGiven) {
  const NewCa root = make("Root", nullptr);
  CaInit init = request("below", &root);
  init.subject = {{NameField::organization, "Org"}};
  const auto made = ca_init(init, kClock);
  ASSERT_THAT(made, IsOk());
  EXPECT_EQ(made->parsed.subject_text(), "CN=Imprint Issuing CA,O=Org");
}

TEST(IntermediateCa, NeedsTwoNamesForTwoPassphrases) {
  const TempDir dir;
  CaInit request;
  request.directory = dir / "sub";
  request.passphrase = PassphraseSource{PassphraseSource::Kind::env, "IMPRINT_TEST_PASSPHRASE"};
  request.parent = AuthoritySource{.certificate = dir / "ca.pem",
                                   .key = KeyFile{dir / "ca.key"},
                                   .passphrase = request.passphrase};
  EXPECT_THAT(ca_init(request, system_clock()),
              FailsWith(Code::invalid_input,
                        "the passphrases of the new key and of the parent's cannot both come from "
                        "'env:IMPRINT_TEST_PASSPHRASE', which is removed when it is read; export "
                        "it under two names"));
}

}  // namespace
}  // namespace imprint::authority
