#include "known_device.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "devauth/mender_server.hpp"
#include "imprint/crypto/issue.hpp"
#include "support/command.hpp"

namespace imprint::devauth {
namespace {

using Key = KnownDevice::Key;
using testing::Optional;

std::string auth_set(int key, const std::string& status) {
  std::string pem = test::public_key_of(key);
  for (std::size_t at = 0; (at = pem.find('\n', at)) != std::string::npos; at += 2)
    pem.replace(at, 1, "\\n");
  return fmt::format(R"({{"id":"x","pubkey":"{}","status":"{}"}})", pem, status);
}

KnownDevice parse(const std::string& json) {
  const auto key = crypto::PublicKey::parse(bytes_of(test::public_key_of(1)))->der().value();
  const auto device = parse_known_device(json, key);
  EXPECT_TRUE(device.has_value()) << json;
  return device.value_or(KnownDevice());
}

TEST(KnownDevice, ShowsItsKeysOrNot) {
  IMPRINT_NEED_COMMAND("openssl");
  const KnownDevice bare = parse(R"({"id":"d-1","status":"accepted","decommissioning":true})");
  EXPECT_EQ(bare.id, "d-1");
  EXPECT_EQ(bare.status, "accepted");
  EXPECT_TRUE(bare.decommissioning);
  EXPECT_FALSE(bare.keys_shown);
  const KnownDevice none = parse(R"({"id":"d-1","auth_sets":[]})");
  EXPECT_TRUE(none.keys_shown);
  EXPECT_FALSE(none.has_keys);
  EXPECT_EQ(none.key, Key::absent);
}

TEST(KnownDevice, IsComparedByKey) {
  IMPRINT_NEED_COMMAND("openssl");
  const auto with = [](const std::string& sets) {
    return parse(R"({"id":"d","auth_sets":[)" + sets + "]}");
  };
  EXPECT_EQ(with(auth_set(2, "accepted")).key, Key::absent);
  EXPECT_TRUE(with(auth_set(2, "accepted")).has_keys);
  EXPECT_EQ(with(auth_set(2, "accepted") + "," + auth_set(1, "pending")).key, Key::present);
  EXPECT_EQ(with(auth_set(1, "rejected")).key, Key::rejected);
  EXPECT_EQ(with(R"(1,{"pubkey":7},{"pubkey":"x"})").key, Key::absent);
}

TEST(KnownDevice, IsNotEverything) {
  for (const char* json : {"", "x", "[]", "{}", R"({"id":7})", R"({"id":""})", R"({"id":"../a"})",
                           R"({"id":"a b"})"}) {
    EXPECT_FALSE(parse_known_device(json, {}).has_value()) << json;
  }
}

TEST(DeviceId, IsTheEndOfALocation) {
  EXPECT_THAT(device_id_of("devices/5f-0A"), Optional(std::string("5f-0A")));
  EXPECT_THAT(device_id_of("/api/management/v2/devauth/devices/1"), Optional(std::string("1")));
  for (const char* location : {"", "devices/", "mydevices/1", "devices/1/auth", "devices/1?x",
                               "devices/%31", "devices/../x", "1"}) {
    EXPECT_FALSE(device_id_of(location).has_value()) << location;
  }
}

TEST(ErrorText, IsOneShortLine) {
  EXPECT_EQ(error_text(R"({"error":"bad key","request_id":"7"})"), "bad key");
  EXPECT_EQ(error_text("plain\n"), "plain");
  EXPECT_EQ(error_text(R"({"error":"a\u001b[31m\nb"})"), R"(a\x1b[31m\nb)");
  EXPECT_EQ(error_text("<html>"), "");
  EXPECT_EQ(error_text("\xff\xfe"), "");
  EXPECT_EQ(error_text("{}"), "");
  EXPECT_EQ(error_text(std::string(1000, 'x')), std::string(200, 'x') + "...");
  EXPECT_EQ(error_text(std::string(199, 'x') + "\xc3\xa4"), std::string(199, 'x') + "...");
}

}  // namespace
}  // namespace imprint::devauth
