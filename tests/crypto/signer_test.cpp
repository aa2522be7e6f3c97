#include "imprint/crypto/signer.hpp"

#include "oracles.hpp"

namespace imprint::crypto {
namespace {

using test::FailsWith;
using test::IsOk;
using test::openssl;
using test::TempDir;

struct Row {
  KeyKind kind;
  SignatureAlgorithm algorithm;
  std::string digest;  // of `openssl dgst`; empty: Ed25519, by pkeyutl
};

class Signers : public testing::TestWithParam<Row> {};

TEST_P(Signers, AreVerifiedByOpenssl) {
  const PrivateKey key = PrivateKey::generate(GetParam().kind).value();
  const auto original = make_key_signer(key);
  ASSERT_THAT(original, IsOk());
  const auto signer = (*original)->clone();
  ASSERT_THAT(signer, IsOk());
  EXPECT_EQ((*signer)->algorithm(), GetParam().algorithm);
  const TempDir dir;
  const std::string public_key =
      dir.write("public.pem", openssl({"pkey", "-pubout"}, test::text(key.to_pem().value())));
  const std::string message = dir.write("message", "to be signed");
  // Signed twice: contexts are reused.
  for (int i = 0; i < 2; ++i) {
    const auto signature = sign_message(**signer, bytes_of("to be signed"));
    ASSERT_THAT(signature, IsOk());
    ASSERT_LE(signature->size(), (*signer)->max_signature_bytes());
    const std::string file = dir.write("signature", text_of(*signature));
    if (GetParam().digest.empty()) {
      openssl({"pkeyutl", "-verify", "-pubin", "-inkey", public_key, "-rawin", "-in", message,
               "-sigfile", file});
    } else {
      openssl({"dgst", GetParam().digest, "-verify", public_key, "-signature", file, message});
    }
  }
}

TEST_P(Signers, AreVerifiedByWhatTheySigned) {
  const test::TestCa ca = test::make_ca(GetParam().kind);
  const test::TestCa other = test::make_ca(GetParam().kind);
  const auto hash = hash_of(GetParam().algorithm);
  Bytes input(32);
  if (hash) {
    Hash hasher(*hash);
    hasher.update(bytes_of("to be signed"));
    input = hasher.finish();
  }
  Bytes signature(ca.signer->max_signature_bytes());
  signature.resize(ca.signer->sign(input, signature).value());
  const auto algorithm = GetParam().algorithm;
  EXPECT_TRUE(verify_signed_input(ca.certificate, algorithm, input, signature));
  EXPECT_FALSE(verify_signed_input(other.certificate, algorithm, input, signature));
  input.back() ^= std::byte{1};
  EXPECT_FALSE(verify_signed_input(ca.certificate, algorithm, input, signature));
  EXPECT_FALSE(verify_signed_input(ca.certificate, algorithm, input, {}));
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, Signers,
    testing::Values(Row{KeyKind::ec_p256, SignatureAlgorithm::ecdsa_sha256, "-sha256"},
                    Row{KeyKind::ec_p384, SignatureAlgorithm::ecdsa_sha384, "-sha384"},
                    Row{KeyKind::ec_p521, SignatureAlgorithm::ecdsa_sha512, "-sha512"},
                    Row{KeyKind::rsa_2048, SignatureAlgorithm::rsa_sha256, "-sha256"},
                    Row{KeyKind::ed25519, SignatureAlgorithm::ed25519, ""}));

TEST(Signer, TellsWhenThereIsNoRoom) {
  const auto signer = make_key_signer(PrivateKey::generate(KeyKind::ec_p256).value()).value();
  Bytes small(10);
  EXPECT_THAT(signer->sign(Bytes(32), small), FailsWith(Code::crypto, "signing with the CA key"));
}

TEST(Signer, RefusesKeysThatNoCaShouldHave) {
  const auto refuse = [](std::vector<std::string> arguments) {
    return make_key_signer(PrivateKey::from_pem(bytes_of(openssl(std::move(arguments)))).value());
  };
  EXPECT_THAT(refuse({"genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"}),
              FailsWith(Code::unsupported,
                        "RSA with 1024 bits is too weak for a CA; it takes 2048 or more"));
  EXPECT_THAT(refuse({"genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-224"}),
              FailsWith(Code::unsupported, "the curve secp224r1 is not supported"));
}

}  // namespace
}  // namespace imprint::crypto
