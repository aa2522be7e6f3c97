#include "endpoint.hpp"

#include <gtest/gtest.h>

#include "support/matchers.hpp"

namespace imprint::handshake {
namespace {

using test::FailsWith;
using test::IsOk;

TEST(Edge, IsHostAndPort) {
  struct Row {
    const char* text;
    const char* host;
    int port;
    const char* shown;
  };

  for (const Row& row :
       {Row{"mtls.example.com", "mtls.example.com", 443, "mtls.example.com:443"},
        Row{"mtls.example.com:8443", "mtls.example.com", 8443, "mtls.example.com:8443"},
        Row{"192.0.2.7:1", "192.0.2.7", 1, "192.0.2.7:1"},
        Row{"[::1]:443", "::1", 443, "[::1]:443"},
        Row{"[2001:db8::1]", "2001:db8::1", 443, "[2001:db8::1]:443"},
        Row{"localhost:65535", "localhost", 65535, "localhost:65535"}}) {
    const auto endpoint = parse_edge(row.text);
    ASSERT_THAT(endpoint, IsOk()) << row.text;
    EXPECT_EQ(endpoint->host, row.host);
    EXPECT_EQ(endpoint->port, row.port);
    EXPECT_EQ(endpoint->text(), row.shown);
  }
}

TEST(Edge, RefusesEverythingElse) {
  const auto refused = [](const char* text, const char* why) {
    EXPECT_THAT(parse_edge(text), FailsWith(Code::invalid_input, why)) << text;
  };
  refused("https://mtls.example.com", "'https://mtls.example.com' is a URL; give HOST:PORT alone");
  refused("mtls.example.com/api", "'mtls.example.com/api' is a URL; give HOST:PORT alone");
  refused("mtls.example.com:", "'mtls.example.com:': '' is no port; 1 to 65535 are");
  refused("mtls.example.com:0", "'0' is no port; 1 to 65535 are");
  refused("mtls.example.com:65536", "'65536' is no port; 1 to 65535 are");
  refused("mtls.example.com:44x", "'44x' is no port; 1 to 65535 are");
  refused(":443", "the host is missing");
  refused("::1", "the host is missing");
  refused("[::1:443", "an IPv6 address stands in brackets, like https://[2001:db8::1]:443");
  refused("two words:443", "there is a space or a line end in it");
  refused("*.example.com", "a client needs one host, not a pattern of names");
  refused("user@example.com", "a server's URL has no user name");
}

TEST(ServerName, IsANameOrAnAddress) {
  EXPECT_EQ(parse_server_name("mtls.example.com").value(), "mtls.example.com");
  EXPECT_EQ(parse_server_name("192.0.2.7").value(), "192.0.2.7");
  EXPECT_EQ(parse_server_name("::1").value(), "::1");
  EXPECT_EQ(parse_server_name("[::1]").value(), "::1");
  EXPECT_THAT(parse_server_name("mtls.example.com:443"),
              FailsWith(Code::invalid_input, "'mtls.example.com:443' has a port; give the name"));
  EXPECT_THAT(parse_server_name("[::1]:443"),
              FailsWith(Code::invalid_input, "'[::1]:443' has a port; give the name alone"));
  EXPECT_THAT(parse_server_name("a_b"), FailsWith(Code::invalid_input, "is no DNS name"));
}

TEST(ServerUrl, GivesHostAndPort) {
  const auto text = [](const char* url) { return endpoint_of_url(url).value().text(); };
  EXPECT_EQ(text("https://mtls.example.com"), "mtls.example.com:443");
  EXPECT_EQ(text("https://mtls.example.com:8443/prefix"), "mtls.example.com:8443");
  EXPECT_EQ(text("https://[::1]:8443/"), "[::1]:8443");
  EXPECT_THAT(endpoint_of_url("http://mtls.example.com"),
              FailsWith(Code::invalid_input,
                        "it is http://, so that the client shows no "
                        "certificate; set https:// in mender.conf"));
  EXPECT_THAT(endpoint_of_url("mtls.example.com"),
              FailsWith(Code::invalid_input, "a server's URL begins with https://"));
}

}  // namespace
}  // namespace imprint::handshake
