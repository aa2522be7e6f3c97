#include "imprint/server/names.hpp"

#include <gmock/gmock.h>

#include "support/matchers.hpp"

namespace imprint::server {
namespace {

using imprint::test::FailsWith;
using imprint::test::IsOk;
using testing::ElementsAre;

std::vector<std::string> names(const std::string& common_name,
                               const std::vector<std::string>& alt_names = {}) {
  const auto made = server_names(common_name, "--cn", alt_names, "--san");
  EXPECT_THAT(made, IsOk());
  return made ? made->alt_names : std::vector<std::string>();
}

TEST(ServerNames, WithoutOthersTheyAreThoseOfKeygen) {
  EXPECT_THAT(names("docker.mender.io"),
              ElementsAre("DNS:docker.mender.io", "DNS:*.docker.mender.io"));
  EXPECT_THAT(names("192.0.2.7"), ElementsAre("IP:192.0.2.7"));
  EXPECT_THAT(names("2001:db8::1"), ElementsAre("IP:2001:db8::1"));
  EXPECT_THAT(names("localhost"), ElementsAre("DNS:localhost"));
  EXPECT_THAT(names("*.example.com"), ElementsAre("DNS:*.example.com"));
}

TEST(ServerNames, OthersAreTakenWithTheCommonName) {
  EXPECT_THAT(names("a.example", {"DNS:b.example", "192.0.2.1", "IP:2001:db8::1", "A.example"}),
              ElementsAre("DNS:a.example", "DNS:b.example", "IP:192.0.2.1", "IP:2001:db8::1"));
  EXPECT_THAT(names("2001:db8::1", {"IP:2001:DB8:0:0:0:0:0:1"}), ElementsAre("IP:2001:db8::1"));
  EXPECT_THAT(names("Our Mender", {"mender.example"}), ElementsAre("DNS:mender.example"));
}

TEST(ServerNames, ListsAreSplitAtCommas) {
  EXPECT_THAT(split_names("DNS:a, DNS:*.a.b ,IP:1.2.3.4"),
              ElementsAre("DNS:a", "DNS:*.a.b", "IP:1.2.3.4"));
  EXPECT_THAT(split_names("a"), ElementsAre("a"));
  EXPECT_THAT(split_names("a,,"), ElementsAre("a", "", ""));
}

struct BadName {
  std::string name;
  std::string message;
};

TEST(ServerNames, WhatNamesNoServerIsRefused) {
  const std::vector<BadName> bad = {
      {"*",
       "'*' is no wildcard that clients take: '*' has to stand alone as the first label, like "
       "*.example.com (RFC 6125)"},
      {"a.*.example.com", "'a.*.example.com' is no wildcard that clients take"},
      {"w*.example.com", "'w*.example.com' is no wildcard that clients take"},
      {"*.*.example.com", "'*.*.example.com' is no wildcard that clients take"},
      {"*.com",
       "'*.com' is a wildcard over a single label, which clients refuse; give two labels "
       "at least after it, like *.example.com"},
      {"a_b.example", "'a_b.example' is no DNS name"},
      {"a..example", "'a..example' is no DNS name: it has an empty label"},
      {"-a.example", "'-a.example' is no DNS name: it has a label that starts or ends with '-'"},
      {"m\xc3\xbcller.example", "is no DNS name: it has a character that no host name has"},
      {"300.1.1.1",
       "'300.1.1.1' is neither a host name, whose last label is no number, nor an IP "
       "address; write an address like 192.0.2.1 or 2001:db8::1"},
      {"192.0.2.1/24", "'192.0.2.1/24' is no DNS name"},
      {"https://a.example", "is no DNS name"},
      {"a.example:443", "is no DNS name"},
      {"", "'' is no DNS name: it is empty"},
  };
  for (const auto& [name, message] : bad) {
    const std::vector<std::string> one = {"DNS:" + name};
    EXPECT_THAT(server_names("a.example", "--cn", one, "--san"),
                FailsWith(Code::invalid_input, "--san: "));
    EXPECT_THAT(server_names("a.example", "--cn", one, "--san"),
                FailsWith(Code::invalid_input, message));
  }
  const std::vector<std::pair<std::string, std::string>> kinds = {
      {"IP:*.0.2.1", "--san: '*.0.2.1' is no IP address; write it like 192.0.2.1 or 2001:db8::1"},
      {"IP:a.example", "--san: 'a.example' is no IP address"},
      {"DNS:192.0.2.1", "--san: 'DNS:192.0.2.1' is an address under DNS:; write IP:192.0.2.1"},
      {"URI:urn:x",
       "--san: 'URI:urn:x' cannot name a server; clients know one by DNS: and IP: "
       "names"},
      {"email:a@b.example", "--san: 'email:a@b.example' cannot name a server"},
  };
  for (const auto& [text, message] : kinds) {
    const std::vector<std::string> one = {text};
    EXPECT_THAT(server_names("a.example", "--cn", one, "--san"),
                FailsWith(Code::invalid_input, message));
  }
}

TEST(ServerNames, ACommonNameAloneHasToBeAName) {
  EXPECT_THAT(server_names("Our Mender", "CERT_CN", {}, "--san"),
              FailsWith(Code::invalid_input,
                        "CERT_CN: 'Our Mender' is no DNS name: it has a character that no host "
                        "name has; use letters, digits, '-' and '.', and punycode for others (RFC "
                        "1123) (or give the names with --san)"));
  const std::vector<std::string> one = {"a.example"};
  EXPECT_THAT(
      server_names(std::string(65, 'a'), "--cn", one, "--san"),
      FailsWith(Code::invalid_input, "--cn: 65 characters; a CN may have at most 64 (RFC 5280)"));
}

}  // namespace
}  // namespace imprint::server
