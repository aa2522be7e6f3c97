// The keys that sign tokens, by the judgement of openssl.

#include "imprint/server/service_key.hpp"

#include <gmock/gmock.h>

#include "support/command.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace imprint::server {
namespace {

using imprint::test::FailsWith;
using imprint::test::IsOk;
using imprint::test::run_command;
using imprint::test::TempDir;
using testing::HasSubstr;
using testing::StartsWith;

std::string pem_of(crypto::KeyKind kind) {
  const auto key = crypto::PrivateKey::generate(kind);
  EXPECT_THAT(key, IsOk());
  const auto pem = service_key_pem(*key);
  EXPECT_THAT(pem, IsOk());
  return pem ? std::string(text_of(pem->view())) : std::string();
}

TEST(ServiceKey, RsaIsPkcs1) {
  IMPRINT_NEED_COMMAND("openssl");
  const TempDir dir;
  const std::string pem = pem_of(crypto::KeyKind::rsa_3072);
  EXPECT_THAT(pem, StartsWith("-----BEGIN RSA PRIVATE KEY-----\n"));
  const auto path = dir.write("private.key", pem);
  const auto check =
      run_command({"openssl", "rsa", "-in", path.string(), "-check", "-noout", "-text"});
  EXPECT_EQ(check.status, 0) << check.err;
  EXPECT_THAT(check.out, HasSubstr("RSA key ok"));
  EXPECT_THAT(check.out, HasSubstr("Private-Key: (3072 bit, 2 primes)"));
  // The very bytes that openssl itself writes in this form.
  const auto again = run_command({"openssl", "rsa", "-in", path.string(), "-traditional"});
  EXPECT_EQ(again.out, pem) << again.err;
}

TEST(ServiceKey, Ed25519IsPkcs8) {
  IMPRINT_NEED_COMMAND("openssl");
  const TempDir dir;
  const std::string pem = pem_of(crypto::KeyKind::ed25519);
  const auto path = dir.write("private.key", pem);
  const auto again = run_command({"openssl", "pkey", "-in", path.string()});
  EXPECT_EQ(again.out, pem) << again.err;
  EXPECT_THAT(pem, StartsWith("-----BEGIN PRIVATE KEY-----\n"));
}

TEST(ServiceKey, KindsThatTheServicesTake) {
  EXPECT_EQ(parse_service_key_kind("rsa:3072"), crypto::KeyKind::rsa_3072);
  EXPECT_EQ(parse_service_key_kind("RSA:4096"), crypto::KeyKind::rsa_4096);
  EXPECT_EQ(parse_service_key_kind("ed25519"), crypto::KeyKind::ed25519);
  for (const char* const word : {"ec:P-256", "rsa", "", "rsa:1024"}) {
    EXPECT_THAT(parse_service_key_kind(word),
                FailsWith(Code::invalid_input,
                          "'" + std::string(word) +
                              "' is no key that Mender's services sign with; known are rsa:2048, "
                              "rsa:3072, rsa:4096, and for servers from 4.0 on ed25519"));
  }
}

TEST(ServiceKey, OnlyRsaHasPkcs1) {
  const auto key = crypto::PrivateKey::generate(crypto::KeyKind::ec_p256);
  EXPECT_THAT(key->to_pkcs1_pem(),
              FailsWith(Code::unsupported, "PKCS#1 is a form of RSA keys alone"));
}

}  // namespace
}  // namespace imprint::server
