#include "imprint/crypto/certificate.hpp"

#include <algorithm>
#include <array>

#include <openssl/obj_mac.h>
#include <openssl/objects.h>

#include "native.hpp"
#include "pem.hpp"

namespace imprint::crypto {

namespace {

bool is_certificate(std::string_view label) {
  return label == kPemCertificate || label == "X509 CERTIFICATE";
}

}  // namespace

TimePoint time_point(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return {};
  using namespace std::chrono;
  const year_month_day date{year{parts.tm_year + 1900},
                            month{static_cast<unsigned>(parts.tm_mon + 1)},
                            day{static_cast<unsigned>(parts.tm_mday)}};
  return sys_days{date} + hours{parts.tm_hour} + minutes{parts.tm_min} + seconds{parts.tm_sec};
}

std::string name_text(const X509_NAME* name) {
  const BioPtr sink(BIO_new(BIO_s_mem()));
  // RFC 2253, but with UTF-8 as it is instead of escaped octets.
  constexpr unsigned long kFlags =
      XN_FLAG_RFC2253 & ~static_cast<unsigned long>(ASN1_STRFLGS_ESC_MSB);
  if (sink == nullptr || X509_NAME_print_ex(sink.get(), name, 0, kFlags) < 0) return {};
  return std::string(text_of(content_of(sink.get())));
}

Certificate::Certificate(std::shared_ptr<const Native> native) : native_(std::move(native)) {}

Result<Certificate> certificate_from_der(ByteView der) {
  const CleanErrorQueue errors;
  const unsigned char* at = octets(der);
  X509Ptr x509(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (x509 == nullptr) return fail(openssl_error(Code::corrupt, "damaged certificate"));
  if (at != octets(der) + der.size()) {
    return fail(Code::corrupt, "damaged certificate: more bytes follow it");
  }
  // Fills the cache of parsed extensions now: from here on the object is only read.
  X509_check_purpose(x509.get(), -1, 0);
  if ((X509_get_extension_flags(x509.get()) & EXFLAG_INVALID) != 0) {
    return fail(openssl_error(Code::corrupt, "certificate with an invalid extension or version"));
  }
  auto native = std::make_shared<Certificate::Native>();
  native->x509 = std::move(x509);
  native->der.assign(der.begin(), der.end());
  return Certificate(std::move(native));
}

Result<std::vector<Certificate>> Certificate::parse_all(ByteView pem) {
  std::vector<Bytes> encoded;
  IMPRINT_TRY(for_each_pem_object(pem, [&](PemObject object) {
    if (is_certificate(object.label)) {
      const ByteView der = object.der.view();
      encoded.emplace_back(der.begin(), der.end());
    }
    return true;
  }));
  if (encoded.empty()) return fail(Code::invalid_input, "holds no certificate in PEM form");
  std::vector<Certificate> certificates;
  certificates.reserve(encoded.size());
  for (const Bytes& der : encoded) {
    certificates.push_back(IMPRINT_TRY(certificate_from_der(der)));
  }
  return certificates;
}

Result<Certificate> Certificate::parse(ByteView pem_or_der) {
  if (pem_or_der.empty()) return fail(Code::invalid_input, "empty, not a certificate");
  // A DER certificate starts with 0x30, but so does a text that starts with the digit 0.
  if (pem_or_der.front() == std::byte{0x30}) {
    auto parsed = certificate_from_der(pem_or_der);
    if (parsed || text_of(pem_or_der).find("-----BEGIN ") == std::string_view::npos) return parsed;
  }
  std::optional<PemObject> first;
  IMPRINT_TRY(for_each_pem_object(pem_or_der, [&](PemObject object) {
    if (!is_certificate(object.label)) return true;
    first = std::move(object);
    return false;
  }));
  if (!first) return fail(Code::invalid_input, "holds no certificate in PEM form");
  return certificate_from_der(first->der.view());
}

Bytes Certificate::der() const {
  return native_->der;
}

std::string Certificate::to_pem() const {
  std::string pem(pem_size(kPemCertificate, native_->der.size()), '\0');
  write_pem(kPemCertificate, native_->der, std::as_writable_bytes(std::span(pem)));
  return pem;
}

Bytes Certificate::serial() const {
  const ASN1_INTEGER* serial = X509_get0_serialNumber(native_->x509.get());
  const int length = ASN1_STRING_length(serial);
  if (length <= 0) return {std::byte{0}};
  const ByteView view = view_of(ASN1_STRING_get0_data(serial), static_cast<std::size_t>(length));
  return {view.begin(), view.end()};
}

std::string Certificate::serial_hex() const {
  return to_hex(serial());
}

Sha256Digest Certificate::fingerprint() const {
  return sha256(native_->der);
}

Bytes Certificate::public_key_der() const {
  unsigned char* der = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(native_->x509.get()), &der);
  if (size <= 0) return {};
  const ByteView encoded = view_of(der, static_cast<std::size_t>(size));
  Bytes copy(encoded.begin(), encoded.end());
  OPENSSL_free(der);
  return copy;
}

TimePoint Certificate::not_before() const {
  return time_point(X509_get0_notBefore(native_->x509.get()));
}

TimePoint Certificate::not_after() const {
  return time_point(X509_get0_notAfter(native_->x509.get()));
}

std::string Certificate::subject_text() const {
  return name_text(X509_get_subject_name(native_->x509.get()));
}

std::string Certificate::issuer_text() const {
  return name_text(X509_get_issuer_name(native_->x509.get()));
}

std::string Certificate::common_name() const {
  const X509_NAME* subject = X509_get_subject_name(native_->x509.get());
  const int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (index < 0) return {};
  unsigned char* utf8 = nullptr;
  const int size =
      ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index)));
  if (size < 0) return {};
  std::string text(text_of(view_of(utf8, static_cast<std::size_t>(size))));
  OPENSSL_free(utf8);
  return text;
}

int Certificate::version() const {
  return static_cast<int>(X509_get_version(native_->x509.get())) + 1;
}

bool Certificate::is_self_signed() const {
  return (X509_get_extension_flags(native_->x509.get()) & EXFLAG_SS) != 0;
}

bool Certificate::has_basic_constraints() const {
  return (X509_get_extension_flags(native_->x509.get()) & EXFLAG_BCONS) != 0;
}

bool Certificate::is_ca() const {
  const std::uint32_t flags = X509_get_extension_flags(native_->x509.get());
  return version() == 3 && (flags & EXFLAG_BCONS) != 0 && (flags & EXFLAG_CA) != 0;
}

std::optional<long> Certificate::path_length() const {
  const long length = X509_get_pathlen(native_->x509.get());
  return length < 0 ? std::nullopt : std::optional<long>(length);
}

bool Certificate::may_sign_certificates() const {
  return (X509_get_key_usage(native_->x509.get()) & KU_KEY_CERT_SIGN) != 0;
}

bool Certificate::may_sign_crls() const {
  return (X509_get_key_usage(native_->x509.get()) & KU_CRL_SIGN) != 0;
}

bool Certificate::may_be_tls_client() const {
  return X509_check_purpose(native_of(*this), X509_PURPOSE_SSL_CLIENT, 0) == 1;
}

std::optional<std::string> Certificate::unhandled_critical_extension() const {
  X509* const x509 = native_->x509.get();
  for (int i = 0; i < X509_get_ext_count(x509); ++i) {
    X509_EXTENSION* const extension = X509_get_ext(x509, i);
    if (X509_EXTENSION_get_critical(extension) != 1 || X509_supported_extension(extension) == 1) {
      continue;
    }
    std::array<char, 128> text{};
    OBJ_obj2txt(text.data(), static_cast<int>(text.size()), X509_EXTENSION_get_object(extension),
                1);
    return std::string(text.data());
  }
  return std::nullopt;
}

std::string Certificate::signature_algorithm() const {
  const char* name = OBJ_nid2ln(X509_get_signature_nid(native_->x509.get()));
  return name != nullptr ? name : "unknown";
}

bool Certificate::has_weak_signature() const {
  int digest = NID_undef;
  if (X509_get_signature_info(native_->x509.get(), &digest, nullptr, nullptr, nullptr) != 1) {
    return true;
  }
  constexpr std::array<int, 6> kWeak = {NID_md2,  NID_md4,  NID_md5,
                                        NID_mdc2, NID_sha1, NID_md5_sha1};
  return std::find(kWeak.begin(), kWeak.end(), digest) != kWeak.end();
}

std::optional<KeyKind> Certificate::key_kind() const {
  const EVP_PKEY* key = X509_get0_pubkey(native_->x509.get());
  if (key == nullptr) return std::nullopt;
  const CleanErrorQueue errors;
  const auto kind = kind_of(key);
  return kind ? std::optional<KeyKind>(*kind) : std::nullopt;
}

}  // namespace imprint::crypto
