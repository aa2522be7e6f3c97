#include "sample.hpp"

#include "name_table.hpp"
#include "native.hpp"

namespace imprint::crypto {

namespace {

/// Values that fit any field and kind, short or as long as they can be.
std::string sample_value(NameField field, bool longest) {
  const std::size_t length = longest ? row_of(field).max_characters : 1;
  switch (field) {
    case NameField::country:
      return longest ? "ZZ" : "AA";
    case NameField::email_address:
      return longest ? std::string(60, 'm') + "@" + std::string(60, 'h') + ".test" : "m@h";
    default:
      return std::string(length, longest ? 'L' : 's');
  }
}

std::string sample_value(AltNameKind kind, bool longest) {
  switch (kind) {
    case AltNameKind::dns:
      return longest
                 ? std::string(60, 'a') + "." + std::string(60, 'b') + "." + std::string(60, 'c')
                 : "d";
    case AltNameKind::ip:
      return longest ? "2001:db8::1" : "192.0.2.1";
    case AltNameKind::uri:
      return longest ? "urn:" + std::string(300, 'u') : "u:u";
    case AltNameKind::email:
      return longest ? std::string(60, 'm') + "@" + std::string(60, 'h') + ".test" : "m@h";
    case AltNameKind::hardware_module:
      return std::string(longest ? 64 : 1, 'n');
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<const Sample>> make_sample(const ProfileSpec& spec,
                                                  const Certificate& issuer,
                                                  SignatureAlgorithm algorithm,
                                                  SampleLength length) {
  const bool longest = length == SampleLength::longest;
  auto sample = std::make_unique<Sample>();
  for (const ProfileAttribute& attribute : spec.subject) {
    if (!attribute.constant) sample->texts.push_back(sample_value(attribute.field, longest));
  }
  for (const ProfileAltName& name : spec.alt_names) {
    if (!name.constant) sample->texts.push_back(sample_value(name.kind, longest));
  }
  sample->slots.assign(sample->texts.begin(), sample->texts.end());
  // The key's kind does not matter here, since its whole SubjectPublicKeyInfo is one slot: this is
  // the quickest to make.
  sample->key.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  if (sample->key == nullptr) return fail(openssl_error(Code::crypto, "generating a key"));
  sample->public_key_info = IMPRINT_TRY(encode_public_key(sample->key.get()));
  IMPRINT_TRY(random_serial(nullptr, sample->device.serial));
  sample->device.key_identifier = IMPRINT_TRY(key_identifier(sample->key.get()));
  sample->device.public_key = sample->key.get();
  sample->device.slots = sample->slots;
  sample->tbs = IMPRINT_TRY(build_device_tbs(spec, issuer, algorithm, sample->device));
  return std::unique_ptr<const Sample>(std::move(sample));
}

}  // namespace imprint::crypto
