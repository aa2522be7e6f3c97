#include "imprint/crypto/mint.hpp"

#include <set>
#include <thread>

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "oracles.hpp"

namespace imprint::crypto {
namespace {

using test::FailsWith;
using test::IsOk;
using test::kDay;
using test::kNow;
using test::make_ca;
using test::openssl;
using test::plain_spec;
using test::run_command;
using test::TempDir;
using test::TestCa;

constexpr std::array<std::string_view, 2> kSlots = {"unit-1.example", "unit-1.example"};

struct Mint {
  std::shared_ptr<const Profile> profile;
  Minter minter;
};

Mint prepare(const TestCa& ca, const ProfileSpec& spec, unsigned verify_every = 1000) {
  auto profile = Profile::compile(spec, ca.certificate, ca.signer->algorithm()).value();
  Minter minter = Minter::create(profile, ca.certificate, *ca.signer, verify_every).value();
  return {std::move(profile), std::move(minter)};
}

struct Pair {
  KeyKind ca;
  KeyKind device;
};

class MintedFor : public testing::TestWithParam<Pair> {};

TEST_P(MintedFor, PassesStrictVerifiers) {
  const TestCa ca = make_ca(GetParam().ca, test::an_hour_ago());
  Mint mint = prepare(ca, plain_spec(GetParam().device, test::an_hour_ago()));
  Identity identity;
  ASSERT_THAT(mint.minter.mint(kSlots, identity), IsOk());
  const TempDir dir;
  const std::string ca_file = dir.write("ca.pem", ca.certificate.to_pem());
  const std::string file = dir.write("device.pem", identity.certificate_pem);
  openssl({"verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", ca_file, file});
  openssl({"verify", "-x509_strict", "-auth_level", "2", "-CAfile", ca_file, file});

  const std::string key_pem = test::text(identity.key_pem);
  openssl({"pkey", "-check", "-noout"}, key_pem);
  EXPECT_EQ(openssl({"pkey"}, key_pem), key_pem);
  EXPECT_EQ(openssl({"x509", "-noout", "-pubkey"}, identity.certificate_pem),
            openssl({"pkey", "-pubout"}, key_pem));
  EXPECT_EQ(openssl({"x509"}, identity.certificate_pem), identity.certificate_pem);

  const auto sizes = mint.profile->max_pem_sizes(kSlots);
  EXPECT_LE(key_pem.size(), sizes.key_bytes);
  EXPECT_LE(identity.certificate_pem.size(), sizes.certificate_bytes);
  EXPECT_LE(sizes.key_bytes, key_pem.size() + 16);
  EXPECT_LE(sizes.certificate_bytes, identity.certificate_pem.size() + 16);

  if (imprint::test::has_command("certtool")) {
    const auto judged = run_command({"certtool", "--verify", "--load-ca-certificate", ca_file,
                                     "--verify-purpose", "1.3.6.1.5.5.7.3.2", "--infile", file});
    EXPECT_NE(judged.out.find("Output: Verified."), std::string::npos) << judged.out << judged.err;
  }
}

std::vector<Pair> all_pairs() {
  std::vector<Pair> pairs;
  for (const KeyKind ca : {KeyKind::ec_p256, KeyKind::ec_p384, KeyKind::ec_p521, KeyKind::rsa_2048,
                           KeyKind::ed25519}) {
    for (const KeyKind device : {KeyKind::ec_p256, KeyKind::ec_p384, KeyKind::ec_p521,
                                 KeyKind::rsa_2048, KeyKind::ed25519}) {
      pairs.push_back({ca, device});
    }
  }
  // The large RSA kinds take seconds: one CA is enough.
  pairs.push_back({KeyKind::ec_p256, KeyKind::rsa_3072});
  pairs.push_back({KeyKind::ec_p256, KeyKind::rsa_4096});
  return pairs;
}

INSTANTIATE_TEST_SUITE_P(KeyKinds, MintedFor, testing::ValuesIn(all_pairs()),
                         [](const auto& instance) {
                           std::string label = fmt::format("{}_by_{}", name(instance.param.device),
                                                           name(instance.param.ca));
                           for (char& c : label) {
                             if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
                           }
                           return label;
                         });

TEST(Minter, WritesTheProfileIntoTheCertificate) {
  const TestCa ca = make_ca(KeyKind::ec_p256);
  ProfileSpec spec = plain_spec();
  spec.subject.push_back({NameField::serial_number, std::nullopt});
  spec.alt_names.push_back({AltNameKind::uri, "urn:x:1"});
  spec.alt_names.push_back({AltNameKind::ip, std::nullopt});
  spec.alt_names.push_back({AltNameKind::email, "ops@example.com"});
  spec.not_after = kNoExpiry;
  Mint mint = prepare(ca, spec);
  Identity identity;
  const std::array<std::string_view, 4> slots = {"Pr\xc3\xb8ve 1", "SN-1", "unit-1.example",
                                                 "2001:db8::1"};
  ASSERT_THAT(mint.minter.mint(slots, identity), IsOk());
  const std::string shown =
      openssl({"x509", "-noout", "-text", "-nameopt", "RFC2253,-esc_msb,utf8,show_type"},
              identity.certificate_pem);
  for (const std::string_view part :
       {"Subject: "
        "serialNumber=PRINTABLESTRING:SN-1,C=PRINTABLESTRING:NO,emailAddress=IA5STRING:ops@example."
        "com,"
        "O=UTF8STRING:My Organization,CN=UTF8STRING:Pr\xc3\xb8ve 1",
        "Not After : Dec 31 23:59:59 9999 GMT",
        "X509v3 Basic Constraints: critical\n                CA:FALSE",
        "X509v3 Key Usage: critical\n                Digital Signature\n",
        "X509v3 Extended Key Usage: \n                TLS Web Client Authentication\n",
        "DNS:unit-1.example, URI:urn:x:1, IP Address:2001:DB8:0:0:0:0:0:1, "
        "email:ops@example.com"}) {
    EXPECT_NE(shown.find(part), std::string::npos) << part << "\n" << shown;
  }
  const std::string structure = openssl({"asn1parse", "-i"}, identity.certificate_pem);
  EXPECT_NE(structure.find("UTCTIME           :261120120000Z"), std::string::npos);
  EXPECT_NE(structure.find("GENERALIZEDTIME   :99991231235959Z"), std::string::npos);
}

TEST(Minter, GivesRsaKeysKeyEncipherment) {
  Mint mint = prepare(make_ca(KeyKind::ed25519), plain_spec(KeyKind::rsa_2048));
  Identity identity;
  ASSERT_THAT(mint.minter.mint(kSlots, identity), IsOk());
  const std::string shown = openssl({"x509", "-noout", "-text"}, identity.certificate_pem);
  EXPECT_NE(shown.find("Digital Signature, Key Encipherment\n"), std::string::npos) << shown;
}

TEST(Minter, TellsTheDigestsAndTheSerialOfWhatItMade) {
  Mint mint = prepare(make_ca(KeyKind::ed25519), plain_spec());
  Identity identity;
  // The second of a minter: its buffers hold the first.
  ASSERT_THAT(mint.minter.mint(kSlots, identity), IsOk());
  const std::array<std::string_view, 2> shorter = {"u", "u"};
  ASSERT_THAT(mint.minter.mint(shorter, identity), IsOk());
  const TempDir dir;
  const auto digest_of = [&](const std::string& content) {
    const std::string file = dir.write("content", content);
    return openssl({"dgst", "-sha256", "-r", file}).substr(0, 64);
  };
  EXPECT_EQ(digest_of(openssl({"x509", "-outform", "DER"}, identity.certificate_pem)),
            to_hex(identity.certificate_sha256));
  EXPECT_EQ(
      digest_of(openssl({"pkey", "-pubout", "-outform", "DER"}, test::text(identity.key_pem))),
      to_hex(identity.public_key_sha256));
  EXPECT_EQ(digest_of(std::string(imprint::text_of(identity.certificate))),
            to_hex(identity.certificate_sha256));
  EXPECT_EQ(digest_of(std::string(imprint::text_of(identity.public_key))),
            to_hex(identity.public_key_sha256));
  EXPECT_EQ(
      imprint::to_lower_ascii(openssl({"x509", "-noout", "-serial"}, identity.certificate_pem)),
      "serial=" + to_hex(identity.serial) + "\n");
  EXPECT_EQ(
      openssl({"x509", "-noout", "-subject", "-nameopt", "RFC2253"}, identity.certificate_pem),
      "subject=C=NO,emailAddress=ops@example.com,O=My Organization,CN=u\n");
}

// The TBS varies in length with the names, over the points where the number of its length octets
// changes.
TEST(Minter, HandlesNamesOfEveryLength) {
  ProfileSpec spec = plain_spec();
  spec.alt_names = {{AltNameKind::uri, std::nullopt}};
  // Every certificate is checked by OpenSSL inside mint().
  Mint mint = prepare(make_ca(KeyKind::ec_p256), spec, 1);
  Identity identity;
  for (std::size_t length = 1; length <= 600; length += 1) {
    const std::string cn(1 + length % 64, 'c');
    const std::string uri = "urn:" + std::string(length, 'u');
    const std::array<std::string_view, 2> slots = {cn, uri};
    ASSERT_THAT(mint.minter.mint(slots, identity), IsOk()) << length;
  }
  const std::string uri = "urn:" + std::string(70'000, 'u');
  const std::array<std::string_view, 2> slots = {"long", uri};
  EXPECT_THAT(mint.minter.mint(slots, identity), IsOk());
}

TEST(Minter, MakesSerialsThatAreRandomPositiveAnd16BytesLong) {
  Mint mint = prepare(make_ca(KeyKind::ec_p256), plain_spec());
  Identity identity;
  std::set<std::array<std::byte, 16>> serials;
  std::set<Sha256Digest> keys;
  std::array<std::size_t, 128> ones{};
  constexpr std::size_t kCount = 10'000;
  for (std::size_t i = 0; i < kCount; ++i) {
    ASSERT_THAT(mint.minter.mint(kSlots, identity), IsOk());
    ASSERT_EQ(identity.serial[0] & std::byte{0xc0}, std::byte{0x40});
    serials.insert(identity.serial);
    keys.insert(identity.public_key_sha256);
    for (std::size_t bit = 0; bit < ones.size(); ++bit) {
      ones[bit] +=
          std::to_integer<std::size_t>(identity.serial[bit / 8] >> (7 - bit % 8) & std::byte{1});
    }
  }
  EXPECT_EQ(serials.size(), kCount);
  EXPECT_EQ(keys.size(), kCount);
  // 126 fair coins: 6 standard deviations around the middle, which chance leaves once in a million
  // runs.
  for (std::size_t bit = 2; bit < ones.size(); ++bit) {
    EXPECT_GT(ones[bit], 4700U) << bit;
    EXPECT_LT(ones[bit], 5300U) << bit;
  }
  const Certificate last = Certificate::parse(bytes_of(identity.certificate_pem)).value();
  EXPECT_EQ(last.serial_hex(), to_hex(identity.serial));
}

// Workers share the profile and nothing else; every certificate is checked by OpenSSL inside
// mint().
TEST(Minter, WorksOnManyThreadsAtOnce) {
  const TestCa ca = make_ca(KeyKind::ec_p256);
  const auto profile =
      Profile::compile(plain_spec(), ca.certificate, ca.signer->algorithm()).value();
  constexpr std::size_t kThreads = 4;
  constexpr std::size_t kEach = 50;
  std::array<std::set<Sha256Digest>, kThreads> made;
  {
    std::vector<std::jthread> workers;
    workers.reserve(kThreads);
    for (auto& mine : made) {
      workers.emplace_back([&] {
        Minter minter = Minter::create(profile, ca.certificate, *ca.signer, 1).value();
        Identity identity;
        for (std::size_t i = 0; i < kEach; ++i) {
          EXPECT_THAT(minter.mint(kSlots, identity), IsOk());
          mine.insert(identity.public_key_sha256);
        }
      });
    }
  }
  std::set<Sha256Digest> all;
  for (const auto& mine : made)
    all.insert(mine.begin(), mine.end());
  EXPECT_EQ(all.size(), kThreads * kEach);
}

TEST(Minter, ReusesTheIdentitysMemory) {
  Mint mint = prepare(make_ca(KeyKind::ec_p256), plain_spec(), 0);
  Identity identity;
  ASSERT_THAT(mint.minter.mint(kSlots, identity), IsOk());
  const std::byte* const key_memory = identity.key_pem.data();
  for (int i = 0; i < 50; ++i)
    ASSERT_THAT(mint.minter.mint(kSlots, identity), IsOk());
  EXPECT_EQ(identity.key_pem.data(), key_memory);
}

TEST(Minter, RefusesTheWrongNumberOfValues) {
  Mint mint = prepare(make_ca(KeyKind::ec_p256), plain_spec());
  Identity identity;
  EXPECT_THAT(mint.minter.mint({}, identity),
              FailsWith(Code::internal, "0 values for a profile with 2 slots"));
}

TEST(Minter, RefusesAProfileOfAnotherAlgorithm) {
  const TestCa ca = make_ca(KeyKind::ec_p256);
  const TestCa other = make_ca(KeyKind::ed25519);
  const auto profile =
      Profile::compile(plain_spec(), ca.certificate, ca.signer->algorithm()).value();
  EXPECT_THAT(Minter::create(profile, ca.certificate, *other.signer),
              FailsWith(Code::internal, "another signature algorithm"));
}

/// Signs with the key of another CA, or wrongly: what a broken HSM or command could do.
class WrongSigner final : public Signer {
 public:
  explicit WrongSigner(std::unique_ptr<Signer> real) : real_(std::move(real)) {}

  [[nodiscard]] SignatureAlgorithm algorithm() const noexcept override {
    return real_->algorithm();
  }

  [[nodiscard]] std::size_t max_signature_bytes() const noexcept override {
    return real_->max_signature_bytes();
  }

  Result<std::size_t> sign(ByteView message, MutableBytes signature) override {
    return real_->sign(message, signature);
  }

  [[nodiscard]] Result<std::unique_ptr<Signer>> clone() const override {
    return std::unique_ptr<Signer>(std::make_unique<WrongSigner>(real_->clone().value()));
  }

 private:
  std::unique_ptr<Signer> real_;
};

TEST(Minter, CatchesASignatureThatDoesNotVerify) {
  const TestCa ca = make_ca(KeyKind::ec_p256);
  const WrongSigner wrong(make_key_signer(PrivateKey::generate(KeyKind::ec_p256).value()).value());
  const auto profile = Profile::compile(plain_spec(), ca.certificate, wrong.algorithm()).value();
  Minter minter = Minter::create(profile, ca.certificate, wrong).value();
  Identity identity;
  EXPECT_THAT(
      minter.mint(kSlots, identity),
      FailsWith(Code::check_failed,
                "checking a new certificate against its CA: the certificate does not verify"));
}

}  // namespace
}  // namespace imprint::crypto
