#include "imprint/devauth/body.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "devauth/mender_server.hpp"
#include "imprint/crypto/issue.hpp"
#include "support/command.hpp"
#include "support/image_oracle.hpp"
#include "support/matchers.hpp"

namespace imprint::devauth {
namespace {

using test::body_line;
using test::FailsWith;
using test::IsOk;
using test::public_key_of;
using testing::Eq;

/// openssl's DER of a key.
Bytes der_of(int key) {
  const std::string der = test::openssl({"pkey", "-pubin", "-outform", "DER"}, public_key_of(key));
  const ByteView bytes = bytes_of(der);
  return {bytes.begin(), bytes.end()};
}

std::string escaped(std::string text) {
  std::string json;
  for (const char c : text)
    json += c == '\n' ? std::string("\\n") : std::string(1, c);
  return json;
}

TEST(Body, IsWhatTheServerTakes) {
  IMPRINT_NEED_COMMAND("openssl");
  const auto body = preauthorization_body(R"({"sn":"1","mac":"a\"b"})", der_of(1));
  ASSERT_THAT(body, IsOk());
  EXPECT_EQ(*body, fmt::format(R"({{"identity_data":{{"mac":"a\"b","sn":"1"}},"pubkey":"{}",)"
                               R"("force":false}})",
                               escaped(public_key_of(1))));
  EXPECT_THAT(preauthorization_body(R"({"sn":"1"})", der_of(1), true).value(),
              testing::EndsWith(R"(,"force":true})"));
}

TEST(Body, NeedsAnIdentity) {
  EXPECT_THAT(preauthorization_body("", {}),
              FailsWith(Code::invalid_input, "'identity_data' is no JSON object"));
  EXPECT_THAT(preauthorization_body("{}", {}), FailsWith(Code::invalid_input, "is empty"));
}

TEST(Bodies, AreReadAsTheyAreWritten) {
  IMPRINT_NEED_COMMAND("openssl");
  const auto devices = parse_bodies(body_line("a", 1) + "\n  \r\n" + body_line("b", 2));
  ASSERT_THAT(devices, IsOk());
  ASSERT_EQ(devices->size(), 2U);
  EXPECT_EQ(devices->at(0).label, "line 1");
  EXPECT_EQ(devices->at(1).label, "line 4");
  EXPECT_EQ(devices->at(1).identity_data, R"({"mac":"b"})");
  EXPECT_EQ(devices->at(1).public_key, der_of(2));
  EXPECT_EQ(
      preauthorization_body(devices->at(0).identity_data, devices->at(0).public_key).value() + "\n",
      body_line("a", 1));
}

TEST(Bodies, ThatRepeatADeviceAreOne) {
  IMPRINT_NEED_COMMAND("openssl");
  const std::string key = escaped(public_key_of(1));
  const std::string one =
      fmt::format(R"({{"identity_data":{{"a":"1","b":["2","3"]}},"pubkey":"{}"}})", key);
  const std::string other_order =
      fmt::format(R"({{"pubkey":"{}","identity_data":{{"b":["2","3"],"a":"1"}}}})", key);
  const auto devices = parse_bodies(one + "\n" + other_order + "\n");
  ASSERT_THAT(devices, IsOk());
  EXPECT_EQ(devices->size(), 1U);
  EXPECT_THAT(parse_bodies(body_line("a", 1) + body_line("b", 1) + body_line("a", 2)),
              FailsWith(Code::invalid_input,
                        "line 3 has the identity of line 1 and another key; keep one of them"));
}

TEST(Bodies, SayWhatIsWrong) {
  IMPRINT_NEED_COMMAND("openssl");
  const std::string key = escaped(public_key_of(1));
  const std::string good = body_line("good", 1);
  const auto refused = [&](const std::string& line, const std::string& message) {
    const auto devices = parse_bodies(good + line + "\n" + good);
    ASSERT_FALSE(devices.has_value()) << line;
    EXPECT_EQ(devices.error().code, Code::invalid_input);
    EXPECT_EQ(devices.error().message(), "line 2: " + message);
  };
  refused("nonsense", "is no JSON object");
  refused("[]", "is no JSON object");
  refused("{", "is no JSON object");
  refused("{}", "'identity_data' is missing");
  refused(R"({"identity_data":"x"})", "'identity_data' is no JSON object");
  refused(R"({"identity_data":{}})",
          "'identity_data' is empty; name what the device's identity script sends");
  refused(R"({"identity_data":{"a":{"b":"c"}}})",
          "'identity_data' member 'a' is an object; give text");
  refused(R"({"identity_data":{"a":[["c"]]}})", "'identity_data' member 'a' is nested; give text");
  refused(R"({"identity_data":{"a":"1"}})", "'pubkey' is missing");
  refused(R"({"identity_data":{"a":"1"},"pubkey":1})", "'pubkey' is no text");
  refused(R"({"identity_data":{"a":"1"},"pubkey":"x"})",
          "'pubkey' is no public key in PEM ('-----BEGIN PUBLIC KEY-----')");
  refused(R"({"identity_data":{"a":"1"},"force":1})", "'force' is neither true nor false");
  refused(R"({"identity_data":{"a":"1"},"public_key":"x"})",
          "there is no member 'public_key'; a body has 'identity_data', 'pubkey' and 'force'");
  refused("{\"" + std::string(1000, 'x') + "\":1}",
          "there is no member '" + std::string(200, 'x') +
              "...'; a body has 'identity_data', 'pubkey' and 'force'");
  refused(R"({"a":")" + std::string(65536, 'x') + "\"}",
          "longer than 65536 bytes, which no body is");
  EXPECT_THAT(
      parse_bodies(R"({"identity_data":{"a":"1"},"pubkey":"-----BEGIN PUBLIC KEY-----\nAAAA\n)"
                   R"(-----END PUBLIC KEY-----\n"})"),
      FailsWith(Code::corrupt, "line 1: 'pubkey': damaged public key"));
}

TEST(Bodies, ThatAreNestedDeeplyDoNoHarm) {
  const std::string deep = std::string(30000, '[') + std::string(30000, ']');
  EXPECT_THAT(parse_bodies(R"({"identity_data":{"a":)" + deep + "}}"),
              FailsWith(Code::invalid_input, "is nested"));
  EXPECT_THAT(preauthorization_body(R"({"a":)" + deep + "}", {}),
              FailsWith(Code::invalid_input, "is nested"));
}

}  // namespace
}  // namespace imprint::devauth
