#include <array>

#include "certificate_builder.hpp"
#include "native.hpp"

namespace imprint::crypto {

namespace {

// digitalSignature, keyCertSign, cRLSign, as RFC 5280 4.2.1.3 numbers them.
constexpr std::array kCaUsages = {0, 5, 6};

}  // namespace

Result<Bytes> build_ca_tbs(const CaSpec& spec, EVP_PKEY* key, const Certificate* issuer,
                           SignatureAlgorithm algorithm) {
  if (spec.subject.empty()) {
    return fail(Code::invalid_input, "a CA needs a subject; give at least a CN");
  }
  for (const SubjectAttribute& attribute : spec.subject) {
    IMPRINT_TRY(check_name_value(attribute.field, attribute.value));
  }
  if (spec.not_after <= spec.not_before) {
    return fail(Code::invalid_input, "a CA certificate that ends before it starts");
  }
  const X509NamePtr name = IMPRINT_TRY(build_name(spec.subject));
  const KeyIdentifier id = IMPRINT_TRY(key_identifier(key));
  Bytes authority_id(id.begin(), id.end());
  if (issuer != nullptr) authority_id = IMPRINT_TRY(authority_identifier(*issuer));
  Serial serial{};
  IMPRINT_TRY(random_serial(nullptr, serial));
  CertificateBuilder builder;
  builder.serial(serial);
  builder.issuer(issuer != nullptr ? X509_get_subject_name(native_of(*issuer)) : name.get());
  builder.validity(spec.not_before, spec.not_after);
  builder.subject(name.get());
  builder.public_key(key);
  builder.basic_constraints(true, spec.path_length);
  builder.key_usage(kCaUsages);
  builder.subject_key_identifier(id);
  builder.authority_key_identifier(authority_id);
  return std::move(builder).tbs(algorithm);
}

}  // namespace imprint::crypto
