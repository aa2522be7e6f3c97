#include "imprint/crypto/issue.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "builder.hpp"
#include "native.hpp"
#include "spec.hpp"

namespace imprint::crypto {

namespace {

Result<Certificate> seal(ByteView tbs, Signer& signer) {
  const Bytes signature = IMPRINT_TRY(sign_message(signer, tbs));
  return certificate_from_der(assemble_certificate(tbs, signer.algorithm(), signature));
}

/// Slots are checked as constants are: nothing reaches the builder unseen.
Result<> check_slots(const ProfileSpec& spec, std::span<const std::string_view> slots) {
  std::size_t used = 0;
  for (const ProfileAttribute& attribute : spec.subject) {
    if (attribute.constant) continue;
    if (used == slots.size()) return fail(Code::internal, "too few values for the profile");
    IMPRINT_TRY(check_name_value(attribute.field, slots[used++]));
  }
  for (const ProfileAltName& name : spec.alt_names) {
    if (name.constant) continue;
    if (used == slots.size()) return fail(Code::internal, "too few values for the profile");
    IMPRINT_TRY(check_alt_name(name.kind, slots[used++]));
  }
  return {};
}

Result<DeviceValues> values_of(EVP_PKEY* key, std::span<const std::string_view> slots) {
  DeviceValues device;
  IMPRINT_TRY(random_serial(nullptr, device.serial));
  device.public_key = key;
  device.key_identifier = IMPRINT_TRY(key_identifier(key));
  device.slots = slots;
  return device;
}

Result<Certificate> build_and_seal(const ProfileSpec& spec, std::span<const std::string_view> slots,
                                   EVP_PKEY* key, const Certificate& issuer, Signer& signer) {
  // The compiled profile is not used, but what it would refuse is refused here too.
  IMPRINT_TRY(Profile::compile(spec, issuer, signer.algorithm()));
  IMPRINT_TRY(check_slots(spec, slots));
  const DeviceValues device = IMPRINT_TRY(values_of(key, slots));
  const Bytes tbs = IMPRINT_TRY(build_device_tbs(spec, issuer, signer.algorithm(), device));
  return seal(tbs, signer);
}

}  // namespace

Result<Certificate> issue_certificate(const ProfileSpec& spec,
                                      std::span<const std::string_view> slots, const PublicKey& key,
                                      const Certificate& issuer, Signer& signer) {
  if (spec.key != key.kind()) {
    return fail(Code::internal, fmt::format("a profile for {} and a key of kind {}", name(spec.key),
                                            name(key.kind())));
  }
  return build_and_seal(spec, slots, key.native().key.get(), issuer, signer);
}

Result<Certificate> make_self_signed_certificate(const ProfileSpec& spec, const PrivateKey& key) {
  const KeyKind kind = IMPRINT_TRY(key.kind());
  if (spec.key != kind) {
    return fail(Code::internal,
                fmt::format("a profile for {} and a key of kind {}", name(spec.key), name(kind)));
  }
  IMPRINT_TRY(check_spec(spec));
  const auto signer = IMPRINT_TRY(make_key_signer(key));
  const DeviceValues values = IMPRINT_TRY(values_of(native_of(key), {}));
  const Bytes tbs = IMPRINT_TRY(build_self_signed_tbs(spec, signer->algorithm(), values));
  return seal(tbs, *signer);
}

Result<> verify_sample(const ProfileSpec& spec, std::span<const std::string_view> slots,
                       const Certificate& issuer, Signer& signer, Strictness strictness) {
  // The quickest kind to make: an RSA key would take a second, and verifiers ask nothing about it.
  const PrivateKey key = IMPRINT_TRY(PrivateKey::generate(KeyKind::ec_p256));
  const Certificate sample =
      IMPRINT_TRY(build_and_seal(spec, slots, native_of(key), issuer, signer));
  const TimePoint valid = std::max(issuer.not_before(), spec.not_before);
  return verify_client_certificate(sample, {}, {&issuer, 1}, valid, strictness);
}

Result<Certificate> make_ca_certificate(const CaSpec& spec, const PrivateKey& key) {
  const auto signer = IMPRINT_TRY(make_key_signer(key));
  const Bytes tbs = IMPRINT_TRY(build_ca_tbs(spec, native_of(key), nullptr, signer->algorithm()));
  return seal(tbs, *signer);
}

Result<Certificate> issue_ca_certificate(const CaSpec& spec, const PrivateKey& key,
                                         const Certificate& issuer, Signer& signer) {
  const Bytes tbs = IMPRINT_TRY(build_ca_tbs(spec, native_of(key), &issuer, signer.algorithm()));
  return seal(tbs, signer);
}

}  // namespace imprint::crypto
