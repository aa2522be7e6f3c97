#include "imprint/crypto/issue.hpp"

#include <fmt/format.h>

#include "builder.hpp"
#include "der.hpp"
#include "native.hpp"

namespace imprint::crypto {

namespace {

/// Signs a TBSCertificate and puts the three parts of a certificate together.
Result<Certificate> seal(ByteView tbs, Signer& signer) {
  const Bytes signature = IMPRINT_TRY(sign_message(signer, tbs));
  const ByteView algorithm = algorithm_identifier(signer.algorithm());
  const std::size_t content =
      tbs.size() + algorithm.size() + der::element_size(1 + signature.size());
  Bytes certificate(der::element_size(content));
  std::byte* at = der::write_header(certificate.data(), der::kSequence, content);
  at = der::write_bytes(at, tbs);
  at = der::write_bytes(at, algorithm);
  at = der::write_header(at, der::kBitString, 1 + signature.size());
  *at++ = std::byte{0};  // no unused bits
  der::write_bytes(at, signature);
  return certificate_from_der(certificate);
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

}  // namespace

Result<Certificate> issue_certificate(const ProfileSpec& spec,
                                      std::span<const std::string_view> slots, const PublicKey& key,
                                      const Certificate& issuer, Signer& signer) {
  if (spec.key != key.kind()) {
    return fail(Code::internal, fmt::format("a profile for {} and a key of kind {}", name(spec.key),
                                            name(key.kind())));
  }
  // The compiled profile is not used, but what it would refuse is refused here too.
  IMPRINT_TRY(Profile::compile(spec, issuer, signer.algorithm()));
  IMPRINT_TRY(check_slots(spec, slots));
  DeviceValues device;
  IMPRINT_TRY(random_serial(nullptr, device.serial));
  device.public_key = key.native().key.get();
  device.key_identifier = IMPRINT_TRY(key_identifier(device.public_key));
  device.slots = slots;
  const Bytes tbs = IMPRINT_TRY(build_device_tbs(spec, issuer, signer.algorithm(), device));
  return seal(tbs, signer);
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
