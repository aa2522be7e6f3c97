// The compiled profile against OpenSSL's builder: over random profiles and devices both must give
// the same TBSCertificate.

#include "profile.hpp"

#include <random>

#include "native.hpp"
#include "oracles.hpp"

namespace imprint::crypto {
namespace {

using namespace std::chrono_literals;
using test::IsOk;
using test::kDay;
using test::kNow;
using test::make_ca;

constexpr TimePoint kLastOf2049{std::chrono::seconds{2524607999}};  // 2049-12-31T23:59:59Z

class Random {
 public:
  explicit Random(unsigned seed) : generator_(seed) {}

  std::size_t below(std::size_t bound) {
    return std::uniform_int_distribution<std::size_t>(0, bound - 1)(generator_);
  }

  bool coin() { return below(2) == 0; }

  template <class Container>
  auto pick(const Container& container) {
    return container[below(std::size(container))];
  }

  /// 1 to `most` of these pieces; every length matters, the ends most.
  std::string text(std::span<const std::string_view> pieces, std::size_t most) {
    const std::size_t length = below(4) == 0 ? most : 1 + below(most);
    std::string whole;
    for (std::size_t i = 0; i < length; ++i)
      whole += pick(pieces);
    return whole;
  }

 private:
  std::mt19937 generator_;
};

constexpr std::array<std::string_view, 12> kLetters = {
    ",", "#", "\\", "\"", "a", "B", "7", "\xc3\xa6", "\xe2\x82\xac", "\xf0\x9f\x94\x91", " ", "/"};
constexpr std::array<std::string_view, 6> kPrintable = {"a", "Z", "0", " ", ":", "?"};
constexpr std::array<std::string_view, 4> kHostLetters = {"a", "B", "7", "x"};

std::string random_value(NameField field, Random& random) {
  switch (field) {
    case NameField::country:
      return std::string(random.pick(std::array<std::string_view, 3>{"NO", "DE", "XX"}));
    case NameField::serial_number:
      return random.text(kPrintable, 64);
    case NameField::email_address:
      return random.text(kHostLetters, 60) + "@" + random.text(kHostLetters, 60);
    case NameField::state:
    case NameField::locality:
      return random.text(kLetters, 128);
    default:
      return random.text(kLetters, 64);
  }
}

std::string random_value(AltNameKind kind, Random& random) {
  switch (kind) {
    case AltNameKind::dns:
      return random.text(kHostLetters, 63) +
             (random.coin() ? "." + random.text(kHostLetters, 63) : "");
    case AltNameKind::ip:
      return random.coin() ? "192.0.2." + std::to_string(random.below(256))
                           : "2001:db8::" + std::to_string(random.below(9999));
    case AltNameKind::uri:
      return "urn:" + random.text(kHostLetters, 400);
    case AltNameKind::email:
      return random.text(kHostLetters, 60) + "@" + random.text(kHostLetters, 60);
    case AltNameKind::hardware_module:
      return random.text(kLetters, 64);
  }
  return {};
}

constexpr std::array kFields = {
    NameField::common_name,   NameField::organization, NameField::organizational_unit,
    NameField::country,       NameField::state,        NameField::locality,
    NameField::email_address, NameField::serial_number};
constexpr std::array kAltKinds = {AltNameKind::dns, AltNameKind::ip, AltNameKind::uri,
                                  AltNameKind::email, AltNameKind::hardware_module};
constexpr std::array<std::string_view, 5> kObjectIds = {
    "1.3.6.1.4.1.99999.1", "2.23.133.1.2", "2.999.1", "0.39",
    "2.25.329800735698586629295641978511506172918"};
constexpr std::array<std::string_view, 9> kPurposes = {
    "clientAuth",  "serverAuth", "codeSigning",         "emailProtection",       "timeStamping",
    "OCSPSigning", "ipsecIKE",   "anyExtendedKeyUsage", "1.3.6.1.4.1.311.20.2.2"};
constexpr std::array kKeys = {KeyKind::ec_p256, KeyKind::rsa_2048, KeyKind::ed25519};

/// Some of these, each at most once, in the order given.
template <class Container>
auto some_of(const Container& container, Random& random) {
  std::vector<typename Container::value_type> chosen;
  for (const auto& value : container) {
    if (random.coin()) chosen.push_back(value);
  }
  return chosen;
}

/// Everything about the extensions but the names.
void choose_extensions(ProfileSpec& spec, Random& random) {
  std::vector<KeyUsage> possible = {KeyUsage::digital_signature, KeyUsage::content_commitment};
  if (spec.key == KeyKind::rsa_2048) {
    possible.push_back(KeyUsage::key_encipherment);
    possible.push_back(KeyUsage::data_encipherment);
  }
  if (spec.key == KeyKind::ec_p256) possible.push_back(KeyUsage::key_agreement);
  if (random.coin()) spec.key_usage = some_of(possible, random);
  for (const std::string_view purpose : some_of(kPurposes, random))
    spec.extended_key_usage.emplace_back(purpose);
  spec.extended_key_usage.erase(spec.extended_key_usage.begin());  // the default
  if (random.coin()) {
    for (const std::string_view policy : some_of(kObjectIds, random))
      spec.policies.emplace_back(policy);
  }
  spec.basic_constraints = random.coin();
  spec.subject_key_identifier = random.coin();
  spec.authority_key_identifier = random.coin();
}

ProfileSpec random_spec(Random& random) {
  ProfileSpec spec;
  spec.key = random.pick(kKeys);
  for (std::size_t i = 1 + random.below(kFields.size()); i > 0; --i) {
    const NameField field = random.pick(kFields);
    spec.subject.push_back(
        {field, random.coin() ? std::optional(random_value(field, random)) : std::nullopt});
  }
  for (std::size_t i = random.coin() ? 0 : random.below(30); i > 0; --i) {
    const AltNameKind kind = random.pick(kAltKinds);
    spec.alt_names.push_back(
        {kind, random.coin() ? std::optional(random_value(kind, random)) : std::nullopt,
         kind == AltNameKind::hardware_module ? std::string(random.pick(kObjectIds)) : ""});
  }
  // Without a subject, some name that everybody knows has to be there.
  if (random.below(8) == 0) {
    spec.subject.clear();
    spec.alt_names.push_back({AltNameKind::dns, std::nullopt});
  }
  if (random.coin()) choose_extensions(spec, random);
  spec.not_before = random.pick(std::array{kNow, kLastOf2049, kLastOf2049 + 1s, TimePoint{}});
  spec.not_after = random.pick(std::array{kLastOf2049 + 2s, kLastOf2049 + 7300 * kDay, kNoExpiry});
  if (spec.not_before == kNow && random.coin()) spec.not_after = kLastOf2049;
  return spec;
}

struct RandomDevice {
  std::vector<std::string> values;
  std::vector<std::string_view> slots;
  Serial serial{};
};

RandomDevice random_device(const ProfileSpec& spec, Random& random) {
  RandomDevice device;
  for (const auto& attribute : spec.subject) {
    if (!attribute.constant) device.values.push_back(random_value(attribute.field, random));
  }
  for (const auto& name : spec.alt_names) {
    if (!name.constant) device.values.push_back(random_value(name.kind, random));
  }
  device.slots.assign(device.values.begin(), device.values.end());
  EXPECT_THAT(random_serial(nullptr, device.serial), IsOk());
  return device;
}

Bytes render(const Profile& profile, const RandomDevice& device, ByteView public_key,
             ByteView key_id) {
  SlotContents contents(profile.impl());
  contents.set(kSerialSlot, device.serial);
  contents.set(kPublicKeySlot, public_key);
  contents.set(kKeyIdentifierSlot, key_id);
  contents.set_values(device.slots);
  std::vector<std::size_t> lengths(profile.impl().tbs.item_count());
  Bytes tbs(profile.impl().tbs.measure(contents.view(), lengths));
  EXPECT_EQ(profile.impl().tbs.write(contents.view(), lengths, tbs.data()),
            tbs.data() + tbs.size());
  return tbs;
}

TEST(Profile, GivesWhatTheBuilderGives) {
  const auto ca = make_ca(KeyKind::ec_p256);
  const std::array<PrivateKey, 3> keys = {PrivateKey::generate(KeyKind::ec_p256).value(),
                                          PrivateKey::generate(KeyKind::rsa_2048).value(),
                                          PrivateKey::generate(KeyKind::ed25519).value()};
  for (unsigned seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const ProfileSpec spec = random_spec(random);
    const auto profile = Profile::compile(spec, ca.certificate, ca.signer->algorithm());
    ASSERT_THAT(profile, IsOk());
    for (int i = 0; i < 3; ++i) {
      const PrivateKey& key = keys[random.below(keys.size())];
      const RandomDevice device = random_device(spec, random);
      const KeyIdentifier key_id = key_identifier(native_of(key)).value();
      const auto expected = build_device_tbs(spec, ca.certificate, ca.signer->algorithm(),
                                             DeviceValues{.serial = device.serial,
                                                          .key_identifier = key_id,
                                                          .public_key = native_of(key),
                                                          .slots = device.slots});
      ASSERT_THAT(expected, IsOk());
      std::string subject;
      (*profile)->subject_text(device.slots, subject);
      const Bytes signature(8);
      const auto certificate =
          certificate_from_der(assemble_certificate(*expected, ca.signer->algorithm(), signature));
      ASSERT_THAT(certificate, IsOk());
      ASSERT_EQ(subject, certificate->subject_text());
      ASSERT_EQ(to_hex(render(**profile, device, key.public_key_der().value(), key_id)),
                to_hex(*expected));
    }
  }
}

TEST(Profile, NumbersSlotsSubjectFirst) {
  const auto ca = make_ca(KeyKind::ed25519);
  const auto profile =
      Profile::compile(test::plain_spec(), ca.certificate, ca.signer->algorithm()).value();
  EXPECT_EQ(profile->slot_count(), 2U);
  EXPECT_EQ(profile->spec().subject.size(), 4U);
}

}  // namespace
}  // namespace imprint::crypto
