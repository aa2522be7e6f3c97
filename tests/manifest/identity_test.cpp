// `identity`: profiles, extensions and validity, and what is refused in them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "imprint/manifest/plan.hpp"
#include "support/matchers.hpp"

namespace imprint::manifest {
namespace {

using namespace std::chrono_literals;
using authority::OutlivesCa;
using crypto::KeyUsage;
using test::FailsWith;
using test::IsOk;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Result<Manifest> parse(std::string_view identity) {
  nlohmann::ordered_json document = {{"version", 1},
                                     {"image", "base.sdimg"},
                                     {"authority", {{"certificate", "c"}, {"key", "k"}}},
                                     {"devices", "devices.csv"}};
  document["identity"] = nlohmann::ordered_json::parse(identity);
  return parse_manifest(document.dump(), "m.json");
}

/// What an `identity` object becomes.
IdentitySpec read(std::string_view identity) {
  const auto manifest = parse(identity);
  EXPECT_THAT(manifest, IsOk()) << identity;
  return manifest ? manifest->identity : IdentitySpec{};
}

std::vector<std::string> subject_of(const IdentitySpec& identity) {
  std::vector<std::string> parts;
  for (const auto& attribute : identity.subject)
    parts.push_back(std::string(crypto::word(attribute.field)) + "=" + attribute.value.text());
  return parts;
}

std::vector<std::string> names_of(const IdentitySpec& identity) {
  std::vector<std::string> parts;
  for (const auto& name : identity.san) {
    parts.push_back(std::string(crypto::word(name.kind)) + ":" + name.hardware_type + ";" +
                    name.value.text());
  }
  return parts;
}

TEST(Profile, OfMenderIsTheDefault) {
  for (const char* text : {"{}", R"({"profile": "mender"})"}) {
    const IdentitySpec identity = read(text);
    EXPECT_EQ(word(identity.profile), "mender");
    EXPECT_THAT(subject_of(identity), ElementsAre("CN={id}"));
    EXPECT_THAT(identity.san, IsEmpty());
    EXPECT_FALSE(identity.key_usage);
    EXPECT_THAT(identity.extended_key_usage, ElementsAre("clientAuth"));
    EXPECT_TRUE(identity.subject_key_identifier);
    EXPECT_TRUE(identity.authority_key_identifier);
    EXPECT_TRUE(identity.basic_constraints);
    EXPECT_EQ(std::get<std::uint32_t>(identity.validity.not_after), 3650U);
    EXPECT_EQ(std::get<std::chrono::seconds>(identity.validity.not_before), 0s);
    EXPECT_EQ(identity.validity.outlives_ca, OutlivesCa::error);
    EXPECT_THAT(identity.warnings, IsEmpty());
  }
}

TEST(Profile, OfAnIdevidIsThatOf8021Ar) {
  const IdentitySpec identity =
      read(R"({"profile": "idevid", "hardware_type": "1.3.6.1.4.1.99999.1", "key": "rsa:2048"})");
  EXPECT_EQ(word(identity.profile), "idevid");
  EXPECT_THAT(subject_of(identity), ElementsAre("CN={id}", "serialNumber={serial}"));
  EXPECT_THAT(names_of(identity), ElementsAre("hardwareModuleName:1.3.6.1.4.1.99999.1;{serial}"));
  EXPECT_THAT(identity.key_usage.value(), ElementsAre(KeyUsage::digital_signature));
  EXPECT_THAT(identity.extended_key_usage, IsEmpty());
  EXPECT_FALSE(identity.subject_key_identifier);
  EXPECT_TRUE(identity.authority_key_identifier);
  EXPECT_EQ(std::get<TimePoint>(identity.validity.not_after), crypto::kNoExpiry);
  EXPECT_EQ(identity.validity.outlives_ca, OutlivesCa::permit);
}

TEST(Profile, GivesWayToWhatTheManifestSays) {
  const IdentitySpec identity = read(R"({
    "profile": "idevid", "hardware_type": "2.23.133.1.2",
    "subject": {"serialNumber": "SN-{id}"}, "san": ["URI:urn:x:{id}"],
    "key": "rsa:2048", "key_usage": ["digitalSignature", "keyEncipherment"],
    "extended_key_usage": ["clientAuth", "1.3.6.1.4.1.99999.2"], "policies": ["2.23.133.11.1.1"],
    "subject_key_identifier": true, "basic_constraints": false, "days": 100})");
  EXPECT_THAT(subject_of(identity), ElementsAre("serialNumber=SN-{id}"));
  EXPECT_THAT(names_of(identity),
              ElementsAre("hardwareModuleName:2.23.133.1.2;SN-{id}", "URI:;urn:x:{id}"));
  EXPECT_THAT(identity.key_usage.value(),
              ElementsAre(KeyUsage::digital_signature, KeyUsage::key_encipherment));
  EXPECT_THAT(identity.extended_key_usage, ElementsAre("clientAuth", "1.3.6.1.4.1.99999.2"));
  EXPECT_THAT(identity.policies, ElementsAre("2.23.133.11.1.1"));
  EXPECT_TRUE(identity.subject_key_identifier);
  EXPECT_FALSE(identity.basic_constraints);
  EXPECT_EQ(std::get<std::uint32_t>(identity.validity.not_after), 100U);
  EXPECT_EQ(identity.validity.outlives_ca, OutlivesCa::error)
      << "what a profile permits goes with the end that it chose";
}

TEST(Profile, TakesAHardwareModuleNameOfItsOwn) {
  const IdentitySpec identity =
      read(R"({"profile": "idevid", "san": ["hardwareModuleName:1.2.3;{mac}"]})");
  EXPECT_THAT(names_of(identity), ElementsAre("hardwareModuleName:1.2.3;{mac}"));
}

TEST(Extensions, MayBeNone) {
  const IdentitySpec identity = read(R"({"key_usage": [], "extended_key_usage": []})");
  EXPECT_THAT(identity.key_usage.value(), IsEmpty());
  EXPECT_THAT(identity.extended_key_usage, IsEmpty());
}

TEST(Extensions, WarnOfWhatIsAllowedAndUnwise) {
  const IdentitySpec identity = read(R"({
    "extended_key_usage": ["clientAuth", "anyExtendedKeyUsage"],
    "authority_key_identifier": false})");
  EXPECT_THAT(
      identity.warnings,
      ElementsAre("/identity/extended_key_usage: anyExtendedKeyUsage lets the devices' keys serve "
                  "every purpose",
                  "/identity/authority_key_identifier: strict verifiers refuse a certificate "
                  "without it (RFC 5280 4.2.1.1)"));
}

TEST(Subject, MayBeEmptyWhereThereAreNames) {
  const IdentitySpec identity = read(R"({"subject": {}, "san": ["DNS:{id}.example.com"]})");
  EXPECT_THAT(identity.subject, IsEmpty());
}

TEST(Validity, TakesTimesInEveryForm) {
  const auto end = [](const std::string& text) {
    const auto identity = read(R"({"not_after": ")" + text + R"("})");
    return to_rfc3339(std::get<TimePoint>(identity.validity.not_after));
  };
  EXPECT_EQ(end("2035-12-31"), "2035-12-31T23:59:59Z") << "a day is meant whole";
  EXPECT_EQ(end("2035-12-31T12:00:00Z"), "2035-12-31T12:00:00Z");
  EXPECT_EQ(end("2035-12-31T12:00:00+02:00"), "2035-12-31T10:00:00Z");
  EXPECT_EQ(end("20351231120000Z"), "2035-12-31T12:00:00Z");
  EXPECT_EQ(end("99991231235959Z"), "9999-12-31T23:59:59Z");
  const auto start = read(R"({"not_before": "2026-01-02"})");
  EXPECT_EQ(to_rfc3339(std::get<TimePoint>(start.validity.not_before)), "2026-01-02T00:00:00Z");
}

TEST(Validity, TakesBackdating) {
  const auto before = [](const std::string& text) {
    const auto identity = read(R"({"not_before": ")" + text + R"("})");
    return std::get<std::chrono::seconds>(identity.validity.not_before);
  };
  EXPECT_EQ(before("-30s"), 30s);
  EXPECT_EQ(before("-10m"), 10min);
  EXPECT_EQ(before("-1h"), 1h);
  EXPECT_EQ(before("-2d"), 48h);
  EXPECT_EQ(before("-0s"), 0s);
}

TEST(Validity, TakesThePolicies) {
  for (const OutlivesCa policy : {OutlivesCa::error, OutlivesCa::truncate, OutlivesCa::permit}) {
    const auto identity = read(R"({"outlives_ca": ")" + std::string(word(policy)) + R"("})");
    EXPECT_EQ(identity.validity.outlives_ca, policy);
  }
}

struct BadIdentity {
  std::string name;
  std::string identity;
  std::string message;
};

class BadIdentityTest : public testing::TestWithParam<BadIdentity> {};

TEST_P(BadIdentityTest, IsRefusedWithItsPlaceAndRule) {
  EXPECT_THAT(parse(GetParam().identity),
              FailsWith(Code::invalid_input, "m.json: " + GetParam().message));
}

const std::vector<BadIdentity> kBad = {
    {"profile", R"({"profile": "idevId"})",
     "/identity/profile: 'idevId' is not one of 'mender', 'idevid'"},
    {"both_ends", R"({"days": 10, "not_after": "2035-01-01"})",
     "/identity: 'days' and 'not_after' both say when the certificates end; give one of them"},
    {"not_after_form", R"({"not_after": "tomorrow"})",
     "/identity/not_after: a time is needed: 2035-12-31, 2035-12-31T23:59:59Z or 20351231235959Z"},
    {"not_after_relative", R"({"not_after": "-1d"})", "/identity/not_after: a time is needed"},
    {"not_after_calendar", R"({"not_after": "2035-02-30"})",
     "/identity/not_after: '2035-02-30' is no time that a calendar has; write it like 2035-12-31, "
     "2035-12-31T23:59:59Z or 20351231235959Z"},
    {"not_after_fraction", R"({"not_after": "2035-01-01T00:00:00.5Z"})",
     "/identity/not_after: '2035-01-01T00:00:00.5Z' is no time"},
    {"not_after_number", R"({"not_after": 2035})",
     "/identity/not_after: text is expected here, not a number"},
    {"not_before_form", R"({"not_before": "10m"})",
     "/identity/not_before: a time is needed (2035-12-31, 2035-12-31T23:59:59Z, 20351231235959Z), "
     "or how long before now (-30s, -10m, -1h, -2d)"},
    {"not_before_unit", R"({"not_before": "-2y"})", "/identity/not_before: a time is needed"},
    {"not_before_long", R"({"not_before": "-4000d"})",
     "/identity/not_before: '-4000d' is more than ten years ago"},
    {"not_before_huge", R"({"not_before": "-999999999d"})",
     "/identity/not_before: '-999999999d' is more than ten years ago"},
    {"outlives_ca", R"({"outlives_ca": "yes"})",
     "/identity/outlives_ca: 'yes' is not one of 'error', 'truncate', 'permit'"},
    {"key_usage_text", R"({"key_usage": "digitalSignature"})",
     "/identity/key_usage: an array is expected here, not text"},
    {"key_usage_unknown", R"({"key_usage": ["digitalsignature"]})",
     "/identity/key_usage/0: 'digitalsignature' is no key usage; did you mean 'digitalSignature'?"},
    {"key_usage_of_ca", R"({"key_usage": ["digitalSignature", "keyCertSign"]})",
     "/identity/key_usage/1: 'keyCertSign' is for CAs: strict verifiers refuse it in a certificate "
     "that is none (RFC 5280 4.2.1.3); leave it out"},
    {"key_usage_of_crl", R"({"key_usage": ["cRLSign"]})",
     "/identity/key_usage/0: 'cRLSign' is for CAs"},
    {"key_usage_number", R"({"key_usage": [1]})",
     "/identity/key_usage/0: text is expected here, not a number"},
    {"key_usage_not_signing", R"({"key": "rsa:2048", "key_usage": ["keyEncipherment"]})",
     "/identity/key_usage: lacks 'digitalSignature', and servers refuse a client whose key may not "
     "sign; add it, or give [] for a certificate without keyUsage"},
    {"key_usage_of_ec", R"({"key_usage": ["digitalSignature", "keyEncipherment"]})",
     "/identity/key_usage: key usage 'keyEncipherment' is for RSA; a key of kind ec:P-256 cannot "
     "encipher (RFC 8813, RFC 9295): leave it out"},
    {"key_usage_of_ed25519",
     R"({"key": "ed25519", "key_usage": ["digitalSignature", "keyEncipherment"]})",
     "/identity/key_usage: key usage 'keyEncipherment' is for RSA; a key of kind ed25519 cannot"},
    {"key_usage_twice", R"({"key_usage": ["digitalSignature", "digitalSignature"]})",
     "/identity/key_usage: key usage 'digitalSignature' stands twice"},
    {"purpose_lacking", R"({"extended_key_usage": ["serverAuth"]})",
     "/identity/extended_key_usage: lacks 'clientAuth', and servers refuse such a client; add it, "
     "or give [] for a certificate without extendedKeyUsage"},
    {"purpose_any", R"({"extended_key_usage": ["anyExtendedKeyUsage"]})",
     "/identity/extended_key_usage: lacks 'clientAuth', and servers refuse such a client (OpenSSL "
     "does not take anyExtendedKeyUsage for it); add it"},
    {"purpose_unknown", R"({"extended_key_usage": ["clientauth"]})",
     "/identity/extended_key_usage: 'clientauth' is no extended key usage; did you mean "
     "'clientAuth'?"},
    {"purpose_twice", R"({"extended_key_usage": ["clientAuth", "1.3.6.1.5.5.7.3.2"]})",
     "/identity/extended_key_usage: extended key usage 'clientAuth' stands twice"},
    {"purpose_malformed", R"({"extended_key_usage": ["clientAuth", "1.40.1"]})",
     "/identity/extended_key_usage: '1.40.1' is no object identifier"},
    {"purpose_empty", R"({"extended_key_usage": [""]})",
     "/identity/extended_key_usage/0: empty text is not possible here"},
    {"policy_malformed", R"({"policies": ["anyPolicy"]})",
     "/identity/policies: policy: 'anyPolicy' is no object identifier: it holds something else "
     "than digits and dots; write it like 1.3.6.1.4.1.99999.1"},
    {"policy_twice", R"({"policies": ["1.2.3", "1.2.3"]})",
     "/identity/policies: policy '1.2.3' stands twice (RFC 5280 4.2.1.4)"},
    {"switch_text", R"({"subject_key_identifier": "no"})",
     "/identity/subject_key_identifier: true or false is expected here, not text"},
    {"idevid_without_type", R"({"profile": "idevid"})",
     "/identity: profile 'idevid' needs 'hardware_type', the object identifier of this type of "
     "device, for the hardwareModuleName of RFC 4108 (below your enterprise number, like "
     "1.3.6.1.4.1.99999.1)"},
    {"idevid_type_malformed", R"({"profile": "idevid", "hardware_type": "router"})",
     "/identity/hardware_type: 'router' is no object identifier"},
    {"idevid_without_serial",
     R"({"profile": "idevid", "hardware_type": "1.2.3", "subject": {"CN": "{id}"}})",
     "/identity/subject: profile 'idevid' needs a serialNumber, which tells the devices of a "
     "manufacturer apart (IEEE 802.1AR); add \"serialNumber\": \"{serial}\""},
    {"idevid_two_modules",
     R"({"profile": "idevid", "hardware_type": "1.2.3", "san": ["hardwareModuleName:1.2.3;x"]})",
     "/identity/hardware_type: 'san' has a hardwareModuleName already; leave one of them out"},
    {"type_without_idevid", R"({"hardware_type": "1.2.3"})",
     "/identity/hardware_type: belongs to profile 'idevid'; with this one write "
     "'hardwareModuleName:OID;SERIAL' into 'san'"},
    {"module_without_type", R"({"san": ["hardwareModuleName:{serial}"]})",
     "/identity/san/0: '{serial}' is no hardwareModuleName: write OID;SERIAL, like "
     "1.3.6.1.4.1.99999.1;{serial}"},
    {"module_variable_type", R"({"san": ["hardwareModuleName:{type};{serial}"]})",
     "/identity/san/0: hardwareModuleName: '{type}' is no object identifier"},
    {"nameless", R"({"subject": {}})",
     "/identity/subject: without a subject the certificate needs names in 'san' (RFC 5280 "
     "4.1.2.6); give at least a CN"},
    {"nameless_module", R"({"subject": {}, "san": ["hardwareModuleName:1.2.3;{serial}"]})",
     "/identity/subject: without a subject the SAN is critical (RFC 5280 4.2.1.6), and servers "
     "written in Go refuse a critical SAN that holds nothing but a hardwareModuleName; give a "
     "subject, or a DNS or URI name too"},
};

INSTANTIATE_TEST_SUITE_P(Rows, BadIdentityTest, testing::ValuesIn(kBad),
                         [](const auto& row) { return row.param.name; });

/// Serial numbers of IDevIDs tell the devices of a manufacturer apart.
Result<DevicePlan> plan(std::string_view identity, std::string_view csv) {
  return plan_devices(parse(identity).value(), parse_csv_devices(csv, "devices.csv").value());
}

TEST(IdevidDevices, HaveSerialNumbersOfTheirOwn) {
  constexpr std::string_view kIdevid = R"({"profile": "idevid", "hardware_type": "1.2.3"})";
  EXPECT_THAT(plan(kIdevid, "id,serial\na,SN1\nb,SN2\n"), IsOk());
  EXPECT_THAT(plan(kIdevid, "id,serial\na,SN1\nb,sn1\n"),
              FailsWith(Code::invalid_input,
                        "devices.csv:3: subject serialNumber '{serial}': 'sn1': the serial number "
                        "of devices.csv:2 too (case ignored); an IDevID's is its own among all of "
                        "a manufacturer (IEEE 802.1AR)"));
  EXPECT_THAT(plan(kIdevid, "id\na\n"),
              FailsWith(Code::invalid_input,
                        "m.json: subject serialNumber '{serial}' needs column 'serial', which "
                        "'devices.csv' does not have"));
  EXPECT_THAT(plan(R"({"profile": "idevid", "hardware_type": "1.2.3",
                       "subject": {"serialNumber": "SN1"}})",
                   "id\na\nb\n"),
              FailsWith(Code::invalid_input,
                        "m.json: /identity/subject/serialNumber: 'SN1' would be the serial number "
                        "of all devices; put a variable into it, like {serial}"));
  EXPECT_THAT(plan(R"({"subject": {"serialNumber": "{serial}"}})", "id,serial\na,SN1\nb,SN1\n"),
              IsOk())
      << "nothing to the Mender server";
}

TEST(IdevidDevices, HaveSerialNumbersThatACertificateCanHold) {
  EXPECT_THAT(plan(R"({"profile": "idevid", "hardware_type": "1.2.3"})", "id,serial\na,S_1\n"),
              FailsWith(Code::invalid_input,
                        "devices.csv:2: subject serialNumber '{serial}': 'S_1': 'S_1' has a "
                        "character that serialNumber cannot hold"));
  EXPECT_THAT(plan(R"({"san": ["hardwareModuleName:1.2.3;{serial}"]})",
                   "id,serial\na," + std::string(65, 'x') + "\n"),
              FailsWith(Code::invalid_input,
                        "65 characters; a hardware serial number may have at most 64"));
}

}  // namespace
}  // namespace imprint::manifest
