#include "imprint/crypto/key.hpp"

#include "oracles.hpp"

namespace imprint::crypto {
namespace {

using test::FailsWith;
using test::IsOk;
using test::openssl;
using test::TempDir;

constexpr std::array kAllKinds = {KeyKind::ec_p256,  KeyKind::ec_p384,  KeyKind::ec_p521,
                                  KeyKind::rsa_2048, KeyKind::rsa_3072, KeyKind::rsa_4096,
                                  KeyKind::ed25519};
/// Those that a test can make many of.
constexpr std::array kQuickKinds = {KeyKind::ec_p256, KeyKind::ec_p384, KeyKind::ec_p521,
                                    KeyKind::rsa_2048, KeyKind::ed25519};

std::function<Result<SecretBytes>()> passphrase(std::string_view text) {
  return [text]() -> Result<SecretBytes> { return SecretBytes(bytes_of(text)); };
}

Result<PrivateKey> from_pem(std::string_view pem) {
  return PrivateKey::from_pem(bytes_of(pem));
}

TEST(KeyKind, WordsAreReadBack) {
  for (const KeyKind kind : kAllKinds) {
    const auto parsed = parse_key_kind(name(kind));
    ASSERT_THAT(parsed, IsOk());
    EXPECT_EQ(*parsed, kind);
  }
}

TEST(KeyKind, ListsTheKnownOnes) {
  EXPECT_THAT(parse_key_kind("rsa:1024"),
              FailsWith(Code::invalid_input,
                        "'rsa:1024' is no key kind; known are ec:P-256, ec:P-384, ec:P-521, "
                        "rsa:2048, rsa:3072, rsa:4096, ed25519"));
}

TEST(PrivateKey, IsWrittenByteForByteAsOpensslWritesIt) {
  for (const KeyKind kind : kQuickKinds) {
    const auto key = PrivateKey::generate(kind);
    ASSERT_THAT(key, IsOk());
    EXPECT_EQ(*key->kind(), kind);
    const std::string pem = test::text(key->to_pem().value());
    EXPECT_EQ(openssl({"pkey"}, pem), pem) << name(kind);
    openssl({"pkey", "-check", "-noout"}, pem);
    EXPECT_EQ(openssl({"pkey", "-pubout", "-outform", "DER"}, pem),
              text_of(key->public_key_der().value()));
  }
}

TEST(PrivateKey, RoundTripsEncrypted) {
  const PrivateKey key = PrivateKey::generate(KeyKind::ec_p256).value();
  const Bytes pem = key.to_encrypted_pem(SecretBytes(bytes_of("correct horse"))).value();
  EXPECT_NE(text_of(pem).find("BEGIN ENCRYPTED PRIVATE KEY"), std::string_view::npos);
  EXPECT_EQ(openssl({"pkey", "-passin", "pass:correct horse"}, text_of(pem)),
            test::text(key.to_pem().value()));
  const auto loaded = PrivateKey::from_pem(pem, passphrase("correct horse"));
  ASSERT_THAT(loaded, IsOk());
  EXPECT_EQ(test::text(loaded->to_pem().value()), test::text(key.to_pem().value()));
  const std::string scheme = openssl({"asn1parse"}, text_of(pem));
  EXPECT_NE(scheme.find("aes-256-cbc"), std::string::npos);
  EXPECT_NE(scheme.find("hmacWithSHA256"), std::string::npos);
  EXPECT_NE(scheme.find("0927C0"), std::string::npos) << "600,000 iterations";
}

TEST(PrivateKey, TellsAWrongPassphrase) {
  const PrivateKey key = PrivateKey::generate(KeyKind::ed25519).value();
  const Bytes pem = key.to_encrypted_pem(SecretBytes(bytes_of("right"))).value();
  EXPECT_THAT(PrivateKey::from_pem(pem, passphrase("wrong")),
              FailsWith(Code::invalid_input, "wrong passphrase"));
  EXPECT_THAT(PrivateKey::from_pem(pem, passphrase("")),
              FailsWith(Code::invalid_input, "wrong passphrase"));
  EXPECT_THAT(PrivateKey::from_pem(pem),
              FailsWith(Code::invalid_input, "encrypted and no passphrase was given"));
  EXPECT_THAT(key.to_encrypted_pem(SecretBytes()),
              FailsWith(Code::invalid_input, "an empty passphrase"));
}

// About one wrong passphrase in 256 decrypts to valid padding: still a wrong passphrase, not a
// damaged key.
TEST(PrivateKey, TellsAWrongPassphraseWhateverItDecryptsTo) {
  const std::string plain = openssl({"genpkey", "-algorithm", "ed25519"});
  const std::string pem = openssl(
      {"pkcs8", "-topk8", "-v2", "aes-128-cbc", "-iter", "1", "-passout", "pass:right"}, plain);
  for (int i = 0; i < 1500; ++i) {
    const std::string wrong = "wrong" + std::to_string(i);
    ASSERT_THAT(PrivateKey::from_pem(bytes_of(pem), passphrase(wrong)),
                FailsWith(Code::invalid_input, "wrong passphrase"))
        << i;
  }
}

TEST(PrivateKey, AsksForThePassphraseOnlyWhenEncrypted) {
  const std::string pem = openssl({"genpkey", "-algorithm", "ed25519"});
  bool asked = false;
  const auto key = PrivateKey::from_pem(bytes_of(pem), [&]() -> Result<SecretBytes> {
    asked = true;
    return SecretBytes();
  });
  EXPECT_THAT(key, IsOk());
  EXPECT_FALSE(asked);
}

TEST(PrivateKey, PassesOnTheErrorOfThePassphraseSource) {
  const std::string pem =
      openssl({"genpkey", "-algorithm", "ed25519", "-aes-128-cbc", "-pass", "pass:x"});
  const auto key = PrivateKey::from_pem(bytes_of(pem), []() -> Result<SecretBytes> {
    return fail(Code::not_found, "no such variable");
  });
  EXPECT_THAT(key, FailsWith(Code::not_found, "no such variable"));
}

TEST(PrivateKey, ReadsTheFormsThatToolsWrite) {
  const std::string pkcs8 =
      openssl({"genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"});
  const auto expect_same = [&](const std::string& form, const std::string& expected) {
    const auto key = from_pem(form);
    ASSERT_THAT(key, IsOk()) << form.substr(0, 40);
    EXPECT_EQ(test::text(key->to_pem().value()), expected);
  };
  expect_same(openssl({"ec"}, pkcs8), pkcs8);  // SEC1
  expect_same(openssl({"ecparam", "-name", "P-256"}) + openssl({"ec"}, pkcs8),
              pkcs8);  // as ecparam -genkey writes it
  const std::string rsa =
      openssl({"genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"});
  expect_same(openssl({"rsa", "-traditional"}, rsa), rsa);  // PKCS#1
  const std::string legacy =
      openssl({"rsa", "-traditional", "-aes128", "-passout", "pass:old"}, rsa);
  ASSERT_NE(legacy.find("DEK-Info"), std::string::npos);
  const auto key = PrivateKey::from_pem(bytes_of(legacy), passphrase("old"));
  ASSERT_THAT(key, IsOk());
  EXPECT_EQ(test::text(key->to_pem().value()), rsa);
  EXPECT_THAT(PrivateKey::from_pem(bytes_of(legacy), passphrase("new")),
              FailsWith(Code::invalid_input, "wrong passphrase"));
  EXPECT_THAT(from_pem(legacy), FailsWith(Code::invalid_input, "no passphrase was given"));
}

TEST(PrivateKey, SkipsWhatIsNoKey) {
  const std::string first = openssl({"genpkey", "-algorithm", "ed25519"});
  const std::string certificate = test::make_ca(KeyKind::ec_p256).certificate.to_pem();
  const auto key = from_pem("Key of the CA:\n" + certificate + "and\n" + first + certificate);
  ASSERT_THAT(key, IsOk());
  EXPECT_EQ(test::text(key->to_pem().value()), first);
  EXPECT_THAT(from_pem(first + certificate + openssl({"genpkey", "-algorithm", "ed25519"})),
              FailsWith(Code::invalid_input,
                        "holds more than one private key; leave only the one that is meant"));
}

TEST(PrivateKey, RefusesWhatIsNoKey) {
  EXPECT_THAT(from_pem(""), FailsWith(Code::invalid_input, "empty, not a private key"));
  EXPECT_THAT(from_pem("hello"),
              FailsWith(Code::invalid_input, "holds no private key in PEM form"));
  EXPECT_THAT(from_pem(test::make_ca(KeyKind::ed25519).certificate.to_pem()),
              FailsWith(Code::invalid_input, "holds no private key, but a 'CERTIFICATE'"));
  EXPECT_THAT(from_pem("-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n"),
              FailsWith(Code::invalid_input, "not a private key"));
  EXPECT_THAT(from_pem("-----BEGIN PRIVATE KEY-----\nMAA"),
              FailsWith(Code::corrupt, "damaged PEM"));
}

TEST(PrivateKey, NamesAKindItDoesNotHandle) {
  const auto kind_of = [](std::vector<std::string> arguments) {
    return from_pem(openssl(std::move(arguments))).value().kind();
  };
  EXPECT_THAT(kind_of({"genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"}),
              FailsWith(Code::unsupported, "the curve secp256k1 is not supported"));
  EXPECT_THAT(kind_of({"genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"}),
              FailsWith(Code::unsupported, "RSA with 1024 bits is not supported"));
  EXPECT_THAT(kind_of({"genpkey", "-algorithm", "ed448"}),
              FailsWith(Code::unsupported, "ED448 is not supported"));
}

}  // namespace
}  // namespace imprint::crypto
