#include "imprint/devauth/server_url.hpp"

#include <gmock/gmock.h>

#include "imprint/base/text.hpp"
#include "support/matchers.hpp"

namespace imprint::devauth {
namespace {

using test::FailsWith;

std::string normal(const char* text) {
  const auto url = ServerUrl::parse(text);
  EXPECT_THAT(url, test::IsOk()) << text;
  return url ? url->text() : std::string();
}

TEST(ServerUrl, OfOneServerIsOneText) {
  EXPECT_EQ(normal("https://mender.example.com"), "https://mender.example.com");
  EXPECT_EQ(normal("HTTPS://Mender.Example.COM:443//"), "https://mender.example.com");
  EXPECT_EQ(normal("https://mender.example.com:8443/mender/"),
            "https://mender.example.com:8443/mender");
  EXPECT_EQ(normal("https://[2001:db8::1]/"), "https://[2001:db8::1]");
}

TEST(ServerUrl, IsPlainOnlyToThisMachine) {
  EXPECT_EQ(normal("http://127.0.0.1:8080"), "http://127.0.0.1:8080");
  EXPECT_EQ(normal("http://localhost"), "http://localhost");
  EXPECT_EQ(normal("http://[::1]:80/"), "http://[::1]");
  EXPECT_TRUE(ServerUrl::parse("http://127.9.9.9")->is_plain_http());
  EXPECT_FALSE(ServerUrl::parse("https://127.0.0.1")->is_plain_http());
  for (const char* text :
       {"http://mender.example.com", "http://10.0.0.1", "http://127.0.0.1.nip.io",
        "http://127.evil.example.com", "http://localhost.example.com",
        "http://127.0.0.1@example.com", "http://[::2]"}) {
    EXPECT_FALSE(ServerUrl::parse(text).has_value()) << text;
  }
  EXPECT_THAT(ServerUrl::parse("http://mender.example.com"),
              FailsWith(Code::invalid_input,
                        "'http://mender.example.com' would send the token unencrypted, for anybody "
                        "on the way to read; give https://mender.example.com"));
}

TEST(ServerUrl, SaysWhatToGive) {
  const auto refused = [](const char* text, const char* message) {
    const auto url = ServerUrl::parse(text);
    ASSERT_FALSE(url.has_value()) << text;
    EXPECT_EQ(url.error().code, Code::invalid_input);
    EXPECT_EQ(url.error().message(), message);
  };
  refused("mender.example.com", "'mender.example.com' is no URL; give https://HOST");
  refused("me:secret@mender.example.com", "is no URL; give https://HOST");
  refused("https://", "is no URL (No host part in the URL); give https://HOST");
  refused("https://a b", "is no URL (Bad hostname); give https://HOST");
  refused("ftp://a", "'ftp://a': 'ftp' is not possible; give https://HOST");
  refused("https://me:secret@a",
          "has a user or password in it; leave them out, the token says who you are");
  const char* const no_port = " has a ':' and no port (1 to 65535); give one, or leave the ':' out";
  for (const char* text : {"https://a:", "https://a:/", "https://a:/mender", "https:///a:",
                           "http://localhost:", "https://[::1]:", "https://a:0", "https://a:00/"}) {
    refused(text, (quoted(text) + no_port).c_str());
  }
  refused(
      "https://a:65536",
      "is no URL (Port number was not a decimal number between 0 and 65535); give https://HOST");
  refused("https://a/?x", "'https://a/?x' has a '?' or '#' in it; give https://HOST");
  refused("https://a/#x", "'https://a/#x' has a '?' or '#' in it; give https://HOST");
  refused("https://a/api/management/v1/useradm",
          "'https://a/api/management/v1/useradm' has the API's path in it; give only the server, "
          "https://a");
}

}  // namespace
}  // namespace imprint::devauth
