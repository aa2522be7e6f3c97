#include "imprint/crypto/examine.hpp"

#include <algorithm>
#include <array>

#include <openssl/objects.h>
#include <openssl/x509v3.h>

#include "imprint/crypto/issue.hpp"
#include "imprint/crypto/usage.hpp"
#include "native.hpp"
#include "pem.hpp"

namespace imprint::crypto {

namespace {

using CrlPtr = std::unique_ptr<X509_CRL, Freer<X509_CRL_free>>;
using RequestPtr = std::unique_ptr<X509_REQ, Freer<X509_REQ_free>>;

struct PrivateKeyLabel {
  std::string_view label;
  std::string_view form;
  bool encrypted;
};

constexpr std::array<PrivateKeyLabel, 4> kPrivateKeys = {{
    {"PRIVATE KEY", "PKCS#8", false},
    {"ENCRYPTED PRIVATE KEY", "encrypted PKCS#8", true},
    {"RSA PRIVATE KEY", "PKCS#1", false},
    {"EC PRIVATE KEY", "SEC1", false},
}};

Result<PublicKeyFacts> public_key_facts(const PublicKey& key) {
  PublicKeyFacts facts{.kind = key.kind(), .der = {}};
  facts.der = IMPRINT_TRY(key.der());
  return facts;
}

Result<PrivateKeyFacts> private_key_facts(ByteView der, std::string_view form) {
  const PrivateKey key = IMPRINT_TRY(PrivateKey::parse(der));
  PrivateKeyFacts facts{.form = std::string(form)};
  if (const auto kind = key.kind()) facts.kind = *kind;
  facts.public_key_der = IMPRINT_TRY(key.public_key_der());
  return facts;
}

Result<RequestFacts> request_facts(ByteView der) {
  const CleanErrorQueue errors;
  const unsigned char* at = octets(der);
  const RequestPtr request(d2i_X509_REQ(nullptr, &at, static_cast<long>(der.size())));
  if (request == nullptr) return fail(openssl_error(Code::corrupt, "damaged certificate request"));
  const PublicKey key = IMPRINT_TRY(PublicKey::parse(der));
  RequestFacts facts;
  facts.subject = name_text(X509_REQ_get_subject_name(request.get()));
  facts.key = IMPRINT_TRY(public_key_facts(key));
  return facts;
}

std::string crl_number(const X509_CRL* crl) {
  const auto* number =
      static_cast<ASN1_INTEGER*>(X509_CRL_get_ext_d2i(crl, NID_crl_number, nullptr, nullptr));
  if (number == nullptr) return {};
  const std::string hex = to_hex(
      view_of(ASN1_STRING_get0_data(number), static_cast<std::size_t>(ASN1_STRING_length(number))));
  ASN1_INTEGER_free(const_cast<ASN1_INTEGER*>(number));
  return hex;
}

Result<RevocationListFacts> list_facts(ByteView der) {
  const CleanErrorQueue errors;
  const unsigned char* at = octets(der);
  const CrlPtr crl(d2i_X509_CRL(nullptr, &at, static_cast<long>(der.size())));
  if (crl == nullptr) return fail(openssl_error(Code::corrupt, "damaged CRL"));
  RevocationListFacts facts;
  const X509_NAME* issuer = X509_CRL_get_issuer(crl.get());
  facts.issuer = name_text(issuer);
  const unsigned char* name = nullptr;
  std::size_t size = 0;
  if (X509_NAME_get0_der(issuer, &name, &size) == 1) {
    const ByteView encoded = view_of(name, size);
    facts.issuer_der.assign(encoded.begin(), encoded.end());
  }
  facts.this_update = time_point(X509_CRL_get0_lastUpdate(crl.get()));
  if (const ASN1_TIME* next = X509_CRL_get0_nextUpdate(crl.get()))
    facts.next_update = time_point(next);
  facts.number_hex = crl_number(crl.get());
  facts.entries =
      static_cast<std::uint64_t>(std::max(0, sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl.get()))));
  return facts;
}

template <class Facts>
FileObject object_or_reason(Result<Facts> facts, std::string_view label) {
  if (facts) return std::move(*facts);
  return UnknownObject{std::string(label), facts.error().message(), true};
}

FileObject object_of(const PemObject& pem) {
  const ByteView der = pem.der.view();
  for (const PrivateKeyLabel& known : kPrivateKeys) {
    if (pem.label != known.label) continue;
    const bool encrypted_inside = pem.header.find("ENCRYPTED") != std::string::npos;
    if (known.encrypted || encrypted_inside) {
      return PrivateKeyFacts{
          .form = (encrypted_inside ? "encrypted " : "") + std::string(known.form),
          .encrypted = true,
          .kind = std::nullopt,
          .public_key_der = {}};
    }
    return object_or_reason(private_key_facts(der, known.form), pem.label);
  }
  if (pem.label == kPemCertificate || pem.label == "X509 CERTIFICATE")
    return object_or_reason(certificate_from_der(der), pem.label);
  if (pem.label == "X509 CRL") return object_or_reason(list_facts(der), pem.label);
  if (pem.label == "CERTIFICATE REQUEST" || pem.label == "NEW CERTIFICATE REQUEST")
    return object_or_reason(request_facts(der), pem.label);
  if (pem.label == kPemPublicKey) {
    const auto key = PublicKey::parse(der);
    if (!key) return UnknownObject{pem.label, key.error().message(), true};
    return object_or_reason(public_key_facts(*key), pem.label);
  }
  return UnknownObject{pem.label, "a PEM object of another kind"};
}

/// Its first bytes are those of all of them, so each reader has to say whether it is its own.
std::vector<FileObject> object_of_der(ByteView der) {
  if (auto certificate = certificate_from_der(der)) return {std::move(*certificate)};
  if (auto list = list_facts(der)) return {std::move(*list)};
  if (auto request = request_facts(der)) return {std::move(*request)};
  if (const auto key = PublicKey::parse(der)) {
    if (auto facts = public_key_facts(*key)) return {std::move(*facts)};
  }
  const auto encrypted = PrivateKey::is_encrypted(der);
  if (!encrypted) return {};
  if (*encrypted) return {PrivateKeyFacts{.form = "encrypted PKCS#8", .encrypted = true}};
  return {object_or_reason(private_key_facts(der, "DER"), "DER")};
}

std::string text_of_general_name(const GENERAL_NAME* name) {
  const BioPtr sink(BIO_new(BIO_s_mem()));
  if (sink == nullptr || GENERAL_NAME_print(sink.get(), const_cast<GENERAL_NAME*>(name)) != 1)
    return {};
  std::string text(text_of(content_of(sink.get())));
  if (text.starts_with("IP Address:")) text.replace(0, 11, "IP:");
  return text;
}

}  // namespace

CertificateNames names_of(const Certificate& certificate) {
  const CleanErrorQueue errors;
  X509* const x509 = native_of(certificate);
  CertificateNames found;
  auto* const names =
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(x509, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i)
    found.alt_names.push_back(text_of_general_name(sk_GENERAL_NAME_value(names, i)));
  GENERAL_NAMES_free(names);

  auto* const purposes =
      static_cast<EXTENDED_KEY_USAGE*>(X509_get_ext_d2i(x509, NID_ext_key_usage, nullptr, nullptr));
  if (purposes != nullptr) found.purposes.emplace();
  for (int i = 0; i < sk_ASN1_OBJECT_num(purposes); ++i) {
    std::array<char, 128> dotted{};
    OBJ_obj2txt(dotted.data(), static_cast<int>(dotted.size()), sk_ASN1_OBJECT_value(purposes, i),
                1);
    found.purposes->push_back(extended_key_usage_word(dotted.data()));
  }
  EXTENDED_KEY_USAGE_free(purposes);
  return found;
}

std::vector<FileObject> objects_in(ByteView content) {
  std::vector<FileObject> objects;
  if (text_of(content).find("-----BEGIN ") == std::string_view::npos) {
    return !content.empty() && content.front() == std::byte{0x30} ? object_of_der(content)
                                                                  : std::move(objects);
  }
  const Result<> walked = for_each_pem_object(content, [&objects](const PemObject& object) {
    // What `openssl ecparam` writes before a key says nothing that the key does not.
    if (object.label != "EC PARAMETERS") objects.push_back(object_of(object));
    return true;
  });
  if (!walked) objects.push_back(UnknownObject{"PEM", walked.error().message(), true});
  return objects;
}

}  // namespace imprint::crypto
