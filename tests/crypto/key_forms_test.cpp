#include "imprint/crypto/key_forms.hpp"

#include <gtest/gtest.h>

#include "imprint/base/bytes.hpp"
#include "support/command.hpp"
#include "support/matchers.hpp"

namespace imprint::crypto {
namespace {

TEST(KeyForms, OpensslWritesTheSame) {
  IMPRINT_NEED_COMMAND("openssl");
  for (const KeyKind kind : {KeyKind::rsa_2048, KeyKind::ec_p256, KeyKind::ec_p384}) {
    const auto key = PrivateKey::generate(kind);
    ASSERT_THAT(key, test::IsOk());
    const auto pkcs8 = key->to_pem();
    const auto traditional = traditional_pem(*key);
    ASSERT_THAT(pkcs8, test::IsOk());
    ASSERT_THAT(traditional, test::IsOk());
    const auto converted =
        test::run_command({"openssl", "pkey", "-traditional"}, text_of(pkcs8->view()));
    ASSERT_EQ(converted.status, 0) << converted.err;
    EXPECT_TRUE(converted.out == text_of(traditional->view())) << name(kind);
  }
}

TEST(KeyForms, Ed25519HasNone) {
  const auto key = PrivateKey::generate(KeyKind::ed25519);
  ASSERT_THAT(key, test::IsOk());
  EXPECT_THAT(
      traditional_pem(*key),
      test::FailsWith(Code::unsupported, "keys of kind ed25519 have no other form than PKCS#8"));
}

}  // namespace
}  // namespace imprint::crypto
