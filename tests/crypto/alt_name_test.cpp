#include "imprint/crypto/name.hpp"
#include "oracles.hpp"

namespace imprint::crypto {
namespace {

using test::FailsWith;
using test::IsOk;

TEST(AltName, IsSplitAtTheFirstColon) {
  const auto uri = split_alt_name("URI:urn:serial:1");
  ASSERT_THAT(uri, IsOk());
  EXPECT_EQ(uri->kind, AltNameKind::uri);
  EXPECT_EQ(uri->value, "urn:serial:1");
  for (const AltNameKind kind :
       {AltNameKind::dns, AltNameKind::ip, AltNameKind::uri, AltNameKind::email}) {
    const std::string given = std::string(word(kind)) + ":x";
    const auto split = split_alt_name(given);
    ASSERT_THAT(split, IsOk());
    EXPECT_EQ(split->kind, kind);
  }
}

TEST(AltName, NamesTheKnownPrefixes) {
  for (const std::string_view given : {"a.example", "dirName:x", "", ":x"}) {
    EXPECT_THAT(split_alt_name(given), FailsWith(Code::invalid_input,
                                                 "has no known prefix; write DNS:, IP:, URI:, "
                                                 "email: or hardwareModuleName: before the name"));
  }
}

struct Case {
  AltNameKind kind;
  std::string value;
  std::string message;  // empty: accepted
};

class AltNameCheck : public testing::TestWithParam<Case> {};

TEST_P(AltNameCheck, FollowsTheRules) {
  const auto result = check_alt_name(GetParam().kind, GetParam().value);
  if (GetParam().message.empty()) {
    EXPECT_THAT(result, IsOk()) << GetParam().value;
  } else {
    EXPECT_THAT(result, FailsWith(Code::invalid_input, GetParam().message));
  }
}

const std::string kLabel63(63, 'a');
const std::string kHost253 =
    kLabel63 + "." + kLabel63 + "." + kLabel63 + "." + std::string(61, 'b');

INSTANTIATE_TEST_SUITE_P(
    Dns, AltNameCheck,
    testing::Values(
        Case{AltNameKind::dns, "a", ""}, Case{AltNameKind::dns, "Unit-1.Example.COM", ""},
        Case{AltNameKind::dns, "*.example.com", ""}, Case{AltNameKind::dns, "xn--pr-sea.no", ""},
        Case{AltNameKind::dns, kHost253, ""},
        Case{AltNameKind::dns, kHost253 + "b", "more than 253 characters"},
        Case{AltNameKind::dns, "*." + kHost253, "more than 253 characters"},
        Case{AltNameKind::dns, kLabel63 + "a.example", "label of more than 63 characters"},
        Case{AltNameKind::dns, "", "it is empty"}, Case{AltNameKind::dns, "*.", "it is empty"},
        Case{AltNameKind::dns, "*", "has a character that no host name has"},
        Case{AltNameKind::dns, "a..b", "empty label"}, Case{AltNameKind::dns, "a.", "empty label"},
        Case{AltNameKind::dns, ".a", "empty label"},
        Case{AltNameKind::dns, "-a.example", "starts or ends with '-'"},
        Case{AltNameKind::dns, "a-.example", "starts or ends with '-'"},
        Case{AltNameKind::dns, "unit_1.example", "has a character that no host name has"},
        Case{AltNameKind::dns, "a,DNS:evil.com", "has a character that no host name has"},
        Case{AltNameKind::dns, "a b", "has a character"},
        Case{AltNameKind::dns, "a\nb", "'a\\nb' is no DNS name"},
        Case{AltNameKind::dns, std::string("a\0b", 3), "has a character"},
        Case{AltNameKind::dns, "pr\xc3\xb8ve.no", "punycode"},
        Case{AltNameKind::dns, "a.*.b", "has a character"}));

INSTANTIATE_TEST_SUITE_P(
    Ip, AltNameCheck,
    testing::Values(Case{AltNameKind::ip, "192.0.2.1", ""},
                    Case{AltNameKind::ip, "2001:db8::1", ""},
                    Case{AltNameKind::ip, "::ffff:192.0.2.1", ""},
                    Case{AltNameKind::ip, "",
                         "is no IP address; write it like 192.0.2.1 or 2001:db8::1"},
                    Case{AltNameKind::ip, "192.0.2", "is no IP address"},
                    Case{AltNameKind::ip, "192.0.2.256", "is no IP address"},
                    Case{AltNameKind::ip, "192.0.2.1/24", "is no IP address"},
                    Case{AltNameKind::ip, "fe80::1%eth0", "is no IP address"},
                    Case{AltNameKind::ip, std::string("192.0.2.1\0x", 11), "is no IP address"},
                    Case{AltNameKind::ip, std::string(100, '1'), "is no IP address"}));

INSTANTIATE_TEST_SUITE_P(
    Uri, AltNameCheck,
    testing::Values(Case{AltNameKind::uri, "urn:serial:1", ""},
                    Case{AltNameKind::uri, "https://a.example/x?y=%20#z", ""},
                    Case{AltNameKind::uri, "unit-1", "has to start with a scheme"},
                    Case{AltNameKind::uri, ":x", "has to start with a scheme"},
                    Case{AltNameKind::uri, "1a:x", "has to start with a scheme"},
                    Case{AltNameKind::uri, "", "has to start with a scheme"},
                    Case{AltNameKind::uri, "urn:", "nothing follows its scheme"},
                    Case{AltNameKind::uri, "urn:a b", "percent-encoded"},
                    Case{AltNameKind::uri, "urn:\xc3\xa6", "percent-encoded"},
                    Case{AltNameKind::uri, "urn:a\nb", "percent-encoded"},
                    Case{AltNameKind::uri, "urn:%2", "two hexadecimal digits"},
                    Case{AltNameKind::uri, "urn:%zz", "two hexadecimal digits"}));

INSTANTIATE_TEST_SUITE_P(
    Email, AltNameCheck,
    testing::Values(Case{AltNameKind::email, "ops@example.com", ""},
                    Case{AltNameKind::email, "a.b+c@h", ""},
                    Case{AltNameKind::email, "not an email", "it has no '@'"},
                    Case{AltNameKind::email, "", "it has no '@'"},
                    Case{AltNameKind::email, "@example.com", "empty part before '@'"},
                    Case{AltNameKind::email, "a..b@example.com", "empty part before '@'"},
                    Case{AltNameKind::email, "a b@example.com", "character before '@'"},
                    Case{AltNameKind::email, "a@b@example.com", "character before '@'"},
                    Case{AltNameKind::email, "a@", "it is empty"},
                    Case{AltNameKind::email, "a@b_c", "no host name has"},
                    Case{AltNameKind::email, std::string(65, 'a') + "@h",
                         "more than 64 characters before '@'"},
                    Case{AltNameKind::email, "a\xc3\xa6@example.com", "character before '@'"}));

INSTANTIATE_TEST_SUITE_P(
    HardwareModule, AltNameCheck,
    testing::Values(Case{AltNameKind::hardware_module, "SN-1", ""},
                    Case{AltNameKind::hardware_module, "a;b \xc3\xa6", ""},
                    Case{AltNameKind::hardware_module, std::string(64, 'n'), ""},
                    Case{AltNameKind::hardware_module, "", "needs a serial number (RFC 4108)"},
                    Case{AltNameKind::hardware_module, std::string(65, 'n'),
                         "65 characters; a hardware serial number may have at most 64"},
                    Case{AltNameKind::hardware_module, "a\nb", "the hardware serial number holds"},
                    Case{AltNameKind::hardware_module, "a\xff", "is not valid UTF-8"}));

TEST(AltName, SplitsAHardwareModuleAtTheFirstSemicolon) {
  const auto split = split_alt_name("hardwareModuleName:1.3.6.1.4.1.99999.1;{serial};x");
  ASSERT_THAT(split, IsOk());
  EXPECT_EQ(split->kind, AltNameKind::hardware_module);
  EXPECT_EQ(split->hardware_type, "1.3.6.1.4.1.99999.1");
  EXPECT_EQ(split->value, "{serial};x");
  EXPECT_THAT(split_alt_name("hardwareModuleName:SN-1"),
              FailsWith(Code::invalid_input,
                        "'SN-1' is no hardwareModuleName: write OID;SERIAL, like "
                        "1.3.6.1.4.1.99999.1;{serial}"));
  EXPECT_THAT(split_alt_name("hardwareModuleName:{type};SN-1"),
              FailsWith(Code::invalid_input,
                        "hardwareModuleName: '{type}' is no object identifier: it holds something "
                        "else than digits and dots"));
}

TEST(AltName, AddressesBecomeOctets) {
  EXPECT_EQ(to_hex(alt_name_octets(AltNameKind::ip, "192.0.2.1")), "c0000201");
  EXPECT_EQ(to_hex(alt_name_octets(AltNameKind::ip, "2001:db8::1")),
            "20010db8000000000000000000000001");
  EXPECT_EQ(text_of(alt_name_octets(AltNameKind::dns, "a.example")), "a.example");
}

}  // namespace
}  // namespace imprint::crypto
