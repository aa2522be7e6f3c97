#include "imprint/authority/token_uri.hpp"

#include <gmock/gmock.h>

#include "parsed_uri.hpp"
#include "support/matchers.hpp"

namespace imprint::authority {
namespace {

using imprint::test::FailsWith;
using imprint::test::IsOk;

TEST(TokenUri, IsToldFromAPath) {
  EXPECT_TRUE(is_token_uri("pkcs11:token=x"));
  EXPECT_TRUE(is_token_uri("PKCS11:token=x"));
  EXPECT_FALSE(is_token_uri("ca/ca-private.key"));
  EXPECT_FALSE(is_token_uri("./pkcs11:key"));
  EXPECT_FALSE(is_token_uri("pkcs"));
}

TEST(TokenUri, MayNameAKeyInManyWays) {
  for (const char* const uri :
       {"pkcs11:", "pkcs11:token=ca;object=key", "pkcs11:serial=12;id=%01;type=private",
        "pkcs11:token=ca?module-path=/usr/lib/x.so", "pkcs11:slot-id=3?module-name=softhsm2"}) {
    EXPECT_THAT(check_token_uri(uri), IsOk()) << uri;
  }
}

TEST(TokenUri, WithThePinInItIsRefusedAndNotRepeated) {
  const auto refused = check_token_uri("pkcs11:token=ca;object=key?pin-value=271828");
  EXPECT_THAT(refused,
              FailsWith(Code::invalid_input,
                        "it holds a pin-value, which everybody can read who reads the URI; "
                        "say where the PIN is instead"));
  EXPECT_THAT(refused.error().message(), testing::Not(testing::HasSubstr("271828")));
  // Nor is one that does not parse.
  const auto broken = check_token_uri("pkcs11:token=%zz?pin-value=271828");
  EXPECT_THAT(broken, FailsWith(Code::invalid_input, "it is no PKCS#11 URI (RFC 7512): "));
  EXPECT_THAT(broken.error().message(), testing::Not(testing::HasSubstr("271828")));
}

TEST(TokenUri, ThatCannotNameAPrivateKeyIsRefused) {
  EXPECT_THAT(check_token_uri("pkcs11:token=ca;type=cert"),
              FailsWith(Code::invalid_input, "'pkcs11:token=ca;type=cert' names no private key"));
  EXPECT_THAT(check_token_uri("pkcs11:token=ca;colour=red"),
              FailsWith(Code::invalid_input,
                        "'pkcs11:token=ca;colour=red' has an attribute that is not known"));
}

TEST(TokenUri, MayNameAFileForThePin) {
  for (const char* const source :
       {"/run/pin", "file:/run/pin", "file:///run/pin", "file://localhost/run/pin"}) {
    const auto uri = parse_token_uri(std::string("pkcs11:token=ca?pin-source=") + source);
    ASSERT_THAT(uri, IsOk()) << source;
    EXPECT_EQ(uri->pin_file, std::filesystem::path("/run/pin"));
  }
  for (const char* const source : {"pin", "file:pin", "|/usr/bin/pin", "file://host/pin", ""}) {
    EXPECT_THAT(parse_token_uri(std::string("pkcs11:token=ca?pin-source=") + source),
                FailsWith(Code::invalid_input, "its pin-source is no absolute path of a file"))
        << source;
  }
}

}  // namespace
}  // namespace imprint::authority
