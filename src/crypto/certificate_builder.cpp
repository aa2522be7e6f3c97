#include "certificate_builder.hpp"

#include "native.hpp"

namespace imprint::crypto {

namespace {

using OctetStringPtr = std::unique_ptr<ASN1_OCTET_STRING, Freer<ASN1_OCTET_STRING_free>>;
using BitStringPtr = std::unique_ptr<ASN1_BIT_STRING, Freer<ASN1_BIT_STRING_free>>;
using ObjectPtr = std::unique_ptr<ASN1_OBJECT, Freer<ASN1_OBJECT_free>>;
using AuthorityIdPtr = std::unique_ptr<AUTHORITY_KEYID, Freer<AUTHORITY_KEYID_free>>;
using BasicConstraintsPtr = std::unique_ptr<BASIC_CONSTRAINTS, Freer<BASIC_CONSTRAINTS_free>>;
using UsagesPtr = std::unique_ptr<EXTENDED_KEY_USAGE, Freer<EXTENDED_KEY_USAGE_free>>;
using PoliciesPtr = std::unique_ptr<CERTIFICATEPOLICIES, Freer<CERTIFICATEPOLICIES_free>>;
using PolicyPtr = std::unique_ptr<POLICYINFO, Freer<POLICYINFO_free>>;
using AlgorithmPtr = std::unique_ptr<X509_ALGOR, Freer<X509_ALGOR_free>>;
using TimePtr = std::unique_ptr<ASN1_TIME, Freer<ASN1_TIME_free>>;
using IntegerPtr = std::unique_ptr<ASN1_INTEGER, Freer<ASN1_INTEGER_free>>;

OctetStringPtr octet_string(ByteView content) {
  OctetStringPtr value(ASN1_OCTET_STRING_new());
  if (value != nullptr &&
      ASN1_OCTET_STRING_set(value.get(), octets(content), static_cast<int>(content.size())) != 1) {
    value.reset();
  }
  return value;
}

// 1: the text is dotted; OpenSSL's own names for objects are not meant.
ObjectPtr object_of(const std::string& dotted) {
  return ObjectPtr(OBJ_txt2obj(dotted.c_str(), 1));
}

bool set_algorithm(X509* x509, SignatureAlgorithm algorithm) {
  // Signing would set it; we want the TBS without making a signature.
  const ByteView der = algorithm_identifier(algorithm);
  const unsigned char* at = octets(der);
  const AlgorithmPtr wanted(d2i_X509_ALGOR(nullptr, &at, static_cast<long>(der.size())));
  auto* target = const_cast<X509_ALGOR*>(X509_get0_tbs_sigalg(x509));
  return wanted != nullptr && X509_ALGOR_copy(target, wanted.get()) == 1;
}

}  // namespace

Error build_error() {
  return openssl_error(Code::crypto, "building a certificate");
}

CertificateBuilder::CertificateBuilder() : x509_(X509_new()) {
  keep(x509_ != nullptr && X509_set_version(x509_.get(), X509_VERSION_3) == 1);
}

void CertificateBuilder::serial(const Serial& bytes) {
  const IntegerPtr number(ASN1_INTEGER_new());
  keep(number != nullptr &&
       ASN1_STRING_set(number.get(), bytes.data(), static_cast<int>(bytes.size())) == 1 &&
       X509_set_serialNumber(x509_.get(), number.get()) == 1);
}

// ASN1_TIME_set chooses UTCTime through 2049 and GeneralizedTime after, as RFC 5280 wants.
void CertificateBuilder::validity(TimePoint not_before, TimePoint not_after) {
  const TimePtr first(ASN1_TIME_set(nullptr, not_before.time_since_epoch().count()));
  const TimePtr last(ASN1_TIME_set(nullptr, not_after.time_since_epoch().count()));
  keep(first != nullptr && last != nullptr && X509_set1_notBefore(x509_.get(), first.get()) == 1 &&
       X509_set1_notAfter(x509_.get(), last.get()) == 1);
}

void CertificateBuilder::issuer(const X509_NAME* name) {
  keep(X509_set_issuer_name(x509_.get(), name) == 1);
}

void CertificateBuilder::subject(const X509_NAME* name) {
  keep(X509_set_subject_name(x509_.get(), name) == 1);
}

void CertificateBuilder::public_key(EVP_PKEY* key) {
  keep(X509_set_pubkey(x509_.get(), key) == 1);
}

void CertificateBuilder::extension(int nid, bool critical, void* value) {
  keep(value != nullptr &&
       X509_add1_ext_i2d(x509_.get(), nid, value, critical ? 1 : 0, X509V3_ADD_APPEND) == 1);
}

void CertificateBuilder::basic_constraints(bool ca, std::optional<long> path_length) {
  const BasicConstraintsPtr value(BASIC_CONSTRAINTS_new());
  if (value != nullptr && ca) value->ca = 0xff;
  if (value != nullptr && path_length) {
    value->pathlen = ASN1_INTEGER_new();
    keep(value->pathlen != nullptr && ASN1_INTEGER_set(value->pathlen, *path_length) == 1);
  }
  extension(NID_basic_constraints, true, value.get());
}

void CertificateBuilder::key_usage(std::span<const int> bits) {
  const BitStringPtr value(ASN1_BIT_STRING_new());
  for (const int bit : bits) {
    keep(value != nullptr && ASN1_BIT_STRING_set_bit(value.get(), bit, 1) == 1);
  }
  extension(NID_key_usage, true, value.get());
}

void CertificateBuilder::extended_key_usage(std::span<const std::string> dotted) {
  const UsagesPtr value(EXTENDED_KEY_USAGE_new());
  for (const std::string& text : dotted) {
    ObjectPtr object = object_of(text);
    const bool pushed =
        value != nullptr && object != nullptr && sk_ASN1_OBJECT_push(value.get(), object.get()) > 0;
    if (pushed) (void)object.release();  // now in `value`
    keep(pushed);
  }
  extension(NID_ext_key_usage, false, value.get());
}

void CertificateBuilder::policies(std::span<const std::string> dotted) {
  const PoliciesPtr value(CERTIFICATEPOLICIES_new());
  for (const std::string& text : dotted) {
    PolicyPtr policy(POLICYINFO_new());
    if (policy != nullptr) {
      ASN1_OBJECT_free(policy->policyid);
      policy->policyid = object_of(text).release();
    }
    const bool pushed = value != nullptr && policy != nullptr && policy->policyid != nullptr &&
                        sk_POLICYINFO_push(value.get(), policy.get()) > 0;
    if (pushed) (void)policy.release();  // now in `value`
    keep(pushed);
  }
  extension(NID_certificate_policies, false, value.get());
}

void CertificateBuilder::subject_key_identifier(ByteView id) {
  const OctetStringPtr value = octet_string(id);
  extension(NID_subject_key_identifier, false, value.get());
}

void CertificateBuilder::authority_key_identifier(ByteView id) {
  const AuthorityIdPtr value(AUTHORITY_KEYID_new());
  if (value != nullptr) {
    value->keyid = octet_string(id).release();
    keep(value->keyid != nullptr);
  }
  extension(NID_authority_key_identifier, false, value.get());
}

void CertificateBuilder::alt_names(const GENERAL_NAMES* names, bool critical) {
  extension(NID_subject_alt_name, critical, const_cast<GENERAL_NAMES*>(names));
}

Result<Bytes> CertificateBuilder::tbs(SignatureAlgorithm algorithm) && {
  if (!ok_) return fail(build_error());
  unsigned char* der = nullptr;
  const int size = set_algorithm(x509_.get(), algorithm) ? i2d_re_X509_tbs(x509_.get(), &der) : -1;
  if (size <= 0) return fail(build_error());
  const ByteView encoded = view_of(der, static_cast<std::size_t>(size));
  Bytes tbs(encoded.begin(), encoded.end());
  OPENSSL_free(der);
  return tbs;
}

}  // namespace imprint::crypto
