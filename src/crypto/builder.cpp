#include "builder.hpp"

#include <openssl/err.h>
#include <openssl/rand.h>

#include "certificate_builder.hpp"
#include "der.hpp"
#include "name_table.hpp"
#include "native.hpp"
#include "slot_reader.hpp"
#include "spec.hpp"

namespace imprint::crypto {

Result<> random_serial(OSSL_LIB_CTX* library, Serial& serial) {
  if (RAND_bytes_ex(library, octets(MutableBytes(serial)), serial.size(), 0) != 1) {
    return fail(openssl_error(Code::crypto, "making a serial number"));
  }
  serial[0] = (serial[0] & std::byte{0x3f}) | std::byte{0x40};
  return {};
}

Result<KeyIdentifier> key_identifier(EVP_PKEY* key) {
  X509_PUBKEY* raw = nullptr;
  KeyIdentifier id{};
  const unsigned char* bits = nullptr;
  int size = 0;
  bool ok = X509_PUBKEY_set(&raw, key) == 1 &&
            X509_PUBKEY_get0_param(nullptr, &bits, &size, nullptr, raw) == 1;
  ok = ok && EVP_Digest(bits, static_cast<std::size_t>(size), octets(MutableBytes(id)), nullptr,
                        EVP_sha1(), nullptr) == 1;
  X509_PUBKEY_free(raw);
  if (!ok) return fail(build_error());
  return id;
}

Result<Bytes> authority_identifier(const Certificate& issuer) {
  if (const ASN1_OCTET_STRING* own = X509_get0_subject_key_id(native_of(issuer)); own != nullptr) {
    const ByteView id =
        view_of(ASN1_STRING_get0_data(own), static_cast<std::size_t>(ASN1_STRING_length(own)));
    return Bytes(id.begin(), id.end());
  }
  const KeyIdentifier id = IMPRINT_TRY(key_identifier(X509_get0_pubkey(native_of(issuer))));
  return Bytes(id.begin(), id.end());
}

Result<X509NamePtr> build_name(std::span<const SubjectAttribute> attributes) {
  X509NamePtr name(X509_NAME_new());
  if (name == nullptr) return fail(build_error());
  for (const SubjectAttribute& attribute : attributes) {
    const NameFieldRow& row = row_of(attribute.field);
    if (X509_NAME_add_entry_by_NID(name.get(), row.nid, MBSTRING_UTF8,
                                   octets(bytes_of(attribute.value)),
                                   static_cast<int>(attribute.value.size()), -1, 0) != 1) {
      return fail(openssl_error(Code::invalid_input,
                                "OpenSSL refuses the value of " + std::string(row.word)));
    }
  }
  return name;
}

namespace {

/// `issuer` null: the certificate issues itself.
Result<Bytes> build_leaf_tbs(const ProfileSpec& spec, const Certificate* issuer,
                             SignatureAlgorithm algorithm, const DeviceValues& device) {
  SlotReader slots(device.slots);
  std::vector<SubjectAttribute> attributes;
  for (const ProfileAttribute& attribute : spec.subject) {
    attributes.push_back({attribute.field, std::string(slots.next(attribute.constant))});
  }
  const X509NamePtr subject = IMPRINT_TRY(build_name(attributes));
  const GeneralNamesPtr names = IMPRINT_TRY(build_alt_names(spec.alt_names, slots.rest()));
  const std::vector<std::string> purposes = IMPRINT_TRY(purpose_ids(spec));
  Bytes authority_id(device.key_identifier.begin(), device.key_identifier.end());
  if (issuer != nullptr) authority_id = IMPRINT_TRY(authority_identifier(*issuer));
  CertificateBuilder builder;
  builder.serial(device.serial);
  builder.issuer(issuer != nullptr ? X509_get_subject_name(native_of(*issuer)) : subject.get());
  builder.validity(spec.not_before, spec.not_after);
  builder.subject(subject.get());
  builder.public_key(device.public_key);
  if (spec.basic_constraints) builder.basic_constraints(false, std::nullopt);
  if (const auto bits = key_usage_bits(spec); !bits.empty()) builder.key_usage(bits);
  if (!purposes.empty()) builder.extended_key_usage(purposes);
  if (!spec.policies.empty()) builder.policies(spec.policies);
  if (spec.subject_key_identifier) builder.subject_key_identifier(device.key_identifier);
  if (spec.authority_key_identifier) builder.authority_key_identifier(authority_id);
  if (!spec.alt_names.empty()) builder.alt_names(names.get(), spec.subject.empty());
  return std::move(builder).tbs(algorithm);
}

}  // namespace

Result<Bytes> build_device_tbs(const ProfileSpec& spec, const Certificate& issuer,
                               SignatureAlgorithm algorithm, const DeviceValues& device) {
  return build_leaf_tbs(spec, &issuer, algorithm, device);
}

Result<Bytes> build_self_signed_tbs(const ProfileSpec& spec, SignatureAlgorithm algorithm,
                                    const DeviceValues& device) {
  return build_leaf_tbs(spec, nullptr, algorithm, device);
}

Bytes assemble_certificate(ByteView tbs, SignatureAlgorithm algorithm, ByteView signature) {
  const ByteView identifier = algorithm_identifier(algorithm);
  const std::size_t content =
      tbs.size() + identifier.size() + der::element_size(1 + signature.size());
  Bytes certificate(der::element_size(content));
  std::byte* at = der::write_header(certificate.data(), der::kSequence, content);
  at = der::write_bytes(at, tbs);
  at = der::write_bytes(at, identifier);
  at = der::write_header(at, der::kBitString, 1 + signature.size());
  *at++ = std::byte{0};  // no unused bits
  der::write_bytes(at, signature);
  return certificate;
}

}  // namespace imprint::crypto
