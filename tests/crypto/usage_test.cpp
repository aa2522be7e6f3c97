#include "imprint/crypto/usage.hpp"

#include "imprint/crypto/mint.hpp"
#include "oracles.hpp"

namespace imprint::crypto {
namespace {

using test::FailsWith;
using test::IsOk;

TEST(KeyUsageWords, AreThoseOfRfc5280) {
  for (const std::string_view known : {"digitalSignature", "contentCommitment", "keyEncipherment",
                                       "dataEncipherment", "keyAgreement"}) {
    const auto usage = parse_key_usage(known);
    ASSERT_THAT(usage, IsOk()) << known;
    EXPECT_EQ(word(*usage), known);
  }
  EXPECT_EQ(parse_key_usage("nonRepudiation").value(), KeyUsage::content_commitment);
}

TEST(KeyUsageWords, RefusesOthersAndThoseOfCas) {
  EXPECT_THAT(parse_key_usage("digitalSignatur"),
              FailsWith(Code::invalid_input,
                        "'digitalSignatur' is no key usage; did you mean 'digitalSignature'?"));
  EXPECT_THAT(parse_key_usage("everything"),
              FailsWith(Code::invalid_input,
                        "'everything' is no key usage; known are "
                        "digitalSignature, contentCommitment, "
                        "keyEncipherment, dataEncipherment, keyAgreement"));
  for (const std::string_view usage : {"keyCertSign", "cRLSign"}) {
    EXPECT_THAT(parse_key_usage(usage),
                FailsWith(Code::invalid_input,
                          "'" + std::string(usage) +
                              "' is for CAs: strict verifiers refuse it in a certificate that is "
                              "none (RFC 5280 4.2.1.3); leave it out"));
  }
}

TEST(ObjectId, TakesWhatOpensslTakes) {
  for (const char* good : {"0.0", "1.39.7", "2.999.1", "2.23.133.1.2", "1.3.6.1.4.1.99999.1",
                           "2.25.329800735698586629295641978511506172918"}) {
    EXPECT_THAT(check_object_id(good), IsOk()) << good;
    const auto judged = test::run_command(
        {"openssl", "asn1parse", "-genstr", std::string("OID:") + good, "-noout"});
    EXPECT_EQ(judged.status, 0) << good << judged.err;
  }
}

TEST(ObjectId, RefusesWhatIsNone) {
  struct Row {
    std::string text;
    std::string rule;
  };

  for (const Row& row : std::vector<Row>{
           {"", "it has an empty number (two dots, or a dot at an end)"},
           {"1", "it has one number only"},
           {"1.", "it has an empty number"},
           {".1.2", "it has an empty number"},
           {"1..2", "it has an empty number"},
           {"1.2.x", "it holds something else than digits and dots"},
           {"1.2. 3", "it holds something else than digits and dots"},
           {"1.2.-3", "it holds something else than digits and dots"},
           {"1.2.03", "a number starts with 0"},
           {"3.1", "its first number is not 0, 1 or 2"},
           {"10.1", "its first number is not 0, 1 or 2"},
           {"1.40", "its second number is over 39, below 0 and 1 none is"},
           {"0.100", "its second number is over 39"},
           {"1.3." + std::string(130, '1'), "it has more than 128 characters"},
       }) {
    EXPECT_THAT(check_object_id(row.text),
                FailsWith(Code::invalid_input, "is no object identifier: " + row.rule))
        << row.text;
  }
  EXPECT_THAT(check_object_id("1.2.x"),
              FailsWith(Code::invalid_input, "; write it like 1.3.6.1.4.1.99999.1"));
}

// OpenSSL names the same purposes by the same identifiers.
TEST(ExtendedKeyUsage, MeansWhatOpensslMeans) {
  for (const char* purpose : {"clientAuth", "serverAuth", "codeSigning", "emailProtection",
                              "timeStamping", "OCSPSigning", "ipsecIKE", "anyExtendedKeyUsage"}) {
    const auto id = extended_key_usage_id(purpose);
    ASSERT_THAT(id, IsOk()) << purpose;
    EXPECT_EQ(test::openssl({"asn1parse", "-genstr", std::string("OID:") + purpose}),
              test::openssl({"asn1parse", "-genstr", "OID:" + *id}));
    EXPECT_EQ(extended_key_usage_word(*id), purpose);
    EXPECT_EQ(extended_key_usage_word(purpose), purpose);
  }
  EXPECT_EQ(extended_key_usage_id("1.3.6.1.4.1.99999.1").value(), "1.3.6.1.4.1.99999.1");
}

TEST(ExtendedKeyUsage, RefusesUnknownWordsAndBrokenIdentifiers) {
  EXPECT_THAT(extended_key_usage_id("clientauth"),
              FailsWith(Code::invalid_input,
                        "'clientauth' is no extended key usage; did you mean 'clientAuth'?"));
  EXPECT_THAT(extended_key_usage_id("flying"),
              FailsWith(Code::invalid_input,
                        "'flying' is no extended key usage; known are clientAuth, serverAuth, "));
  EXPECT_THAT(extended_key_usage_id("1.3.6.1.5.5.7.3.2."),
              FailsWith(Code::invalid_input, "is no object identifier"));
  EXPECT_THAT(extended_key_usage_id(""),
              FailsWith(Code::invalid_input, "'' is no extended key usage"));
}

}  // namespace
}  // namespace imprint::crypto
