// What a handshake message says, and how the client behaves without a network. Its handshakes with
// servers of others are tests/cli/handshake_test.cpp.

#include "imprint/crypto/tls_client.hpp"

#include <gmock/gmock.h>

#include "support/command.hpp"
#include "support/image_oracle.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"
#include "tls_messages.hpp"

namespace imprint::crypto {
namespace {

using std::string_literals::operator""s;
using test::FailsWith;
using test::IsOk;
using test::openssl;
using test::TempDir;

std::vector<std::string> texts_of(const std::string& message, bool tls_1_3) {
  std::vector<std::string> texts;
  for (const ByteView certificate : certificates_of_message(bytes_of(message), tls_1_3))
    texts.emplace_back(text_of(certificate));
  return texts;
}

TEST(CertificateMessage, IsAListInBothVersions) {
  // Type 11 and length, which nobody needs here; then as RFC 5246, 7.4.2 and RFC 8446, 4.4.2.
  EXPECT_THAT(texts_of("\x0b\0\0\x0d\0\0\x0a\0\0\3abc\0\0\1d"s, false),
              testing::ElementsAre("abc", "d"));
  EXPECT_THAT(texts_of("\x0b\0\0\x14\2xy\0\0\x0e\0\0\3abc\0\0\0\0\1d\0\0"s, true),
              testing::ElementsAre("abc", "d"));
  EXPECT_THAT(texts_of("\x0b\0\0\3\0\0\0"s, false), testing::IsEmpty());
  EXPECT_THAT(texts_of("\x0b\0\0\4\0\0\0\0"s, true), testing::IsEmpty());
}

TEST(CertificateMessage, ThatIsCutShortDoesNotReachBeyondItself) {
  const std::string whole = "\x0b\0\0\x14\2xy\0\0\x0e\0\0\3abc\0\0\0\0\1d\0\0"s;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    for (const bool tls_1_3 : {false, true})
      EXPECT_LE(texts_of(whole.substr(0, size), tls_1_3).size(), 8U);
  }
}

TEST(Alert, EndsAConnectionUnlessItIsAFarewellOrAWarning) {
  const auto fatal = [](const std::string& message) { return fatal_alert(bytes_of(message)); };
  EXPECT_EQ(fatal("\2\x30"s), 48);
  EXPECT_EQ(fatal("\1\x70"s), std::nullopt);
  EXPECT_EQ(fatal("\2\0"s), std::nullopt);
  EXPECT_EQ(fatal("\2"s), std::nullopt);
  EXPECT_EQ(tls_alert_name(48), "unknown CA");
  EXPECT_EQ(tls_alert_name(116), "certificate required");
  EXPECT_EQ(tls_alert_name(200), "alert 200");
}

class TlsClientTest : public testing::Test {
 protected:
  void SetUp() override { IMPRINT_NEED_COMMAND("openssl"); }

  struct Pair {
    Certificate certificate;
    PrivateKey key;
  };

  [[nodiscard]] Pair make(const std::string& name, const std::vector<std::string>& key) const {
    std::vector<std::string> command = {"req",   "-x509",       "-nodes",
                                        "-subj", "/CN=" + name, "-newkey"};
    command.insert(command.end(), key.begin(), key.end());
    for (const std::string& word : {"-keyout"s, (dir_ / (name + ".key")).string(), "-out"s,
                                    (dir_ / (name + ".pem")).string()})
      command.push_back(word);
    openssl(command);
    return {Certificate::parse(bytes_of(test::slurp(dir_ / (name + ".pem")))).value(),
            PrivateKey::from_pem(bytes_of(test::slurp(dir_ / (name + ".key")))).value()};
  }

  TempDir dir_;
};

TEST_F(TlsClientTest, GreetsFirstAndWaits) {
  const Pair unit = make("unit", {"ec", "-pkeyopt", "ec_paramgen_curve:P-256"});
  auto client = TlsClient::make({.server_name = "mtls.example.com",
                                 .certificates = {&unit.certificate, 1},
                                 .key = unit.key,
                                 .trusted = {}});
  ASSERT_THAT(client, IsOk());
  EXPECT_EQ(client->handshake(), TlsStep::wants_input);
  const Bytes hello = client->take_to_send();
  EXPECT_NE(text_of(hello).find("mtls.example.com"), std::string::npos);
  EXPECT_EQ(client->take_to_send(), Bytes());
  EXPECT_EQ(client->handshake(), TlsStep::wants_input);
  EXPECT_EQ(client->facts().version, "");
  client->put_received(bytes_of("HTTP/1.1 400 Bad Request\r\n\r\n"));
  EXPECT_EQ(client->handshake(), TlsStep::failed);
  EXPECT_EQ(client->facts().failure, "TLS: wrong version number");
}

TEST_F(TlsClientTest, ASilentEndIsAFailureOfTheHandshake) {
  const Pair unit = make("unit", {"ec", "-pkeyopt", "ec_paramgen_curve:P-256"});
  auto client = TlsClient::make({.server_name = "192.0.2.7",
                                 .certificates = {&unit.certificate, 1},
                                 .key = unit.key,
                                 .trusted = {}});
  ASSERT_THAT(client, IsOk());
  EXPECT_EQ(client->handshake(), TlsStep::wants_input);
  client->put_end();
  EXPECT_EQ(client->handshake(), TlsStep::failed);
  EXPECT_FALSE(client->facts().finished);
}

TEST_F(TlsClientTest, RefusesWhatOpensslDoesNotUse) {
  const Pair unit = make("unit", {"ec", "-pkeyopt", "ec_paramgen_curve:P-256"});
  const Pair other = make("other", {"ec", "-pkeyopt", "ec_paramgen_curve:P-256"});
  EXPECT_THAT(TlsClient::make({.server_name = "a.example",
                               .certificates = {&unit.certificate, 1},
                               .key = other.key,
                               .trusted = {}}),
              FailsWith(Code::crypto, "key values mismatch"));
  EXPECT_THAT(
      TlsClient::make(
          {.server_name = "a.example", .certificates = {}, .key = other.key, .trusted = {}}),
      FailsWith(Code::crypto));
  const Pair weak = make("weak", {"rsa:1024"});
  EXPECT_THAT(TlsClient::make({.server_name = "a.example",
                               .certificates = {&weak.certificate, 1},
                               .key = weak.key,
                               .trusted = {}}),
              FailsWith(Code::crypto, "ee key too small"));
}

}  // namespace
}  // namespace imprint::crypto
