#include "imprint/manifest/server_url.hpp"

#include <gtest/gtest.h>

#include "support/matchers.hpp"

namespace imprint::manifest {
namespace {

using test::FailsWith;
using test::IsOk;

TEST(ServerUrl, IsAHostPerhapsWithPortAndPath) {
  for (const char* url :
       {"https://mender.example.com", "https://mender.example.com/", "https://a:8443/path/of",
        "http://localhost", "https://192.0.2.1", "https://[2001:db8::1]:443", "https://[::1]"}) {
    EXPECT_THAT(check_server_url(url), IsOk()) << url;
  }
  const auto refused = [](std::string_view url, const std::string& why) {
    EXPECT_THAT(check_server_url(url), FailsWith(Code::invalid_input, why)) << url;
  };
  refused("mender.example.com", "a server's URL begins with https://");
  refused("HTTPS://a", "a server's URL begins with https://");
  refused("https://", "the host is missing");
  refused("https:///path", "the host is missing");
  refused("https://a b", "there is a space or a line end in it");
  refused("https://a\n", "there is a space or a line end in it");
  refused("https://{region}.example", "braces are not possible");
  refused("https://m\xC3\xBC.example", "a character in it cannot stand in a URL (RFC 3986)");
  refused("https://user:pw@a", "a server's URL has no user name");
  refused("https://a?x", "a server's URL has no '?' and no '#'");
  refused("https://a:0", "'0' is no port; 1 to 65535 are");
  refused("https://a:65536", "'65536' is no port");
  refused("https://a:", "'' is no port");
  refused("https://[::1", "an IPv6 address stands in brackets");
  refused("https://*.example.com", "a client needs one host");
  refused("https://a_b.example", "is no DNS name");
}

TEST(ServerUrl, NamesOneServerWhateverTheCaseOrSlashes) {
  EXPECT_TRUE(name_one_server("https://a.example", "https://A.example:443//"));
  EXPECT_TRUE(name_one_server("http://[2001:DB8::1]:80/x", "http://[2001:db8::1]/x/"));
  EXPECT_FALSE(name_one_server("https://a", "https://a:80"));
  EXPECT_FALSE(name_one_server("https://a/x", "https://a/X"));
  EXPECT_FALSE(name_one_server("https://a", "http://a"));
}

}  // namespace
}  // namespace imprint::manifest
