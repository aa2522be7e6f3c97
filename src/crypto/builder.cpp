#include "builder.hpp"

#include <openssl/err.h>
#include <openssl/rand.h>

#include "name_table.hpp"
#include "native.hpp"

namespace imprint::crypto {

namespace {

using GeneralNamesPtr = std::unique_ptr<GENERAL_NAMES, Freer<GENERAL_NAMES_free>>;
using GeneralNamePtr = std::unique_ptr<GENERAL_NAME, Freer<GENERAL_NAME_free>>;
using OctetStringPtr = std::unique_ptr<ASN1_OCTET_STRING, Freer<ASN1_OCTET_STRING_free>>;
using BitStringPtr = std::unique_ptr<ASN1_BIT_STRING, Freer<ASN1_BIT_STRING_free>>;
using AuthorityIdPtr = std::unique_ptr<AUTHORITY_KEYID, Freer<AUTHORITY_KEYID_free>>;
using BasicConstraintsPtr = std::unique_ptr<BASIC_CONSTRAINTS, Freer<BASIC_CONSTRAINTS_free>>;
using UsagesPtr = std::unique_ptr<EXTENDED_KEY_USAGE, Freer<EXTENDED_KEY_USAGE_free>>;
using AlgorithmPtr = std::unique_ptr<X509_ALGOR, Freer<X509_ALGOR_free>>;
using TimePtr = std::unique_ptr<ASN1_TIME, Freer<ASN1_TIME_free>>;
using IntegerPtr = std::unique_ptr<ASN1_INTEGER, Freer<ASN1_INTEGER_free>>;

// Bits of keyUsage as RFC 5280 numbers them.
constexpr int kDigitalSignature = 0;
constexpr int kKeyEncipherment = 2;
constexpr int kKeyCertSign = 5;
constexpr int kCrlSign = 6;

Error build_error() {
  return openssl_error(Code::crypto, "building a certificate");
}

/// A certificate under construction. Every step fails for want of memory or not at all, so the
/// steps only remember a failure and done() tells it.
class Builder {
 public:
  Builder() : x509_(X509_new()) {
    keep(x509_ != nullptr && X509_set_version(x509_.get(), X509_VERSION_3) == 1);
  }

  void serial(const Serial& bytes) {
    IntegerPtr number(ASN1_INTEGER_new());
    keep(number != nullptr &&
         ASN1_STRING_set(number.get(), bytes.data(), static_cast<int>(bytes.size())) == 1 &&
         X509_set_serialNumber(x509_.get(), number.get()) == 1);
  }

  // ASN1_TIME_set chooses UTCTime through 2049 and GeneralizedTime after, as RFC 5280 wants.
  void validity(TimePoint not_before, TimePoint not_after) {
    const TimePtr first(ASN1_TIME_set(nullptr, not_before.time_since_epoch().count()));
    const TimePtr last(ASN1_TIME_set(nullptr, not_after.time_since_epoch().count()));
    keep(first != nullptr && last != nullptr &&
         X509_set1_notBefore(x509_.get(), first.get()) == 1 &&
         X509_set1_notAfter(x509_.get(), last.get()) == 1);
  }

  void issuer(const X509_NAME* name) { keep(X509_set_issuer_name(x509_.get(), name) == 1); }

  void subject(const X509_NAME* name) { keep(X509_set_subject_name(x509_.get(), name) == 1); }

  void public_key(EVP_PKEY* key) { keep(X509_set_pubkey(x509_.get(), key) == 1); }

  void extension(int nid, bool critical, void* value) {
    keep(value != nullptr &&
         X509_add1_ext_i2d(x509_.get(), nid, value, critical ? 1 : 0, X509V3_ADD_APPEND) == 1);
  }

  void basic_constraints(bool ca, std::optional<long> path_length) {
    const BasicConstraintsPtr value(BASIC_CONSTRAINTS_new());
    if (value != nullptr && ca) value->ca = 0xff;
    if (value != nullptr && path_length) {
      value->pathlen = ASN1_INTEGER_new();
      keep(value->pathlen != nullptr && ASN1_INTEGER_set(value->pathlen, *path_length) == 1);
    }
    extension(NID_basic_constraints, true, value.get());
  }

  void key_usage(std::initializer_list<int> bits) {
    const BitStringPtr value(ASN1_BIT_STRING_new());
    for (const int bit : bits) {
      keep(value != nullptr && ASN1_BIT_STRING_set_bit(value.get(), bit, 1) == 1);
    }
    extension(NID_key_usage, true, value.get());
  }

  void client_authentication() {
    const UsagesPtr value(EXTENDED_KEY_USAGE_new());
    keep(value != nullptr && sk_ASN1_OBJECT_push(value.get(), OBJ_nid2obj(NID_client_auth)) > 0);
    extension(NID_ext_key_usage, false, value.get());
  }

  void subject_key_identifier(ByteView id) {
    const OctetStringPtr value = octet_string(id);
    extension(NID_subject_key_identifier, false, value.get());
  }

  void authority_key_identifier(ByteView id) {
    const AuthorityIdPtr value(AUTHORITY_KEYID_new());
    if (value != nullptr) value->keyid = octet_string(id).release();
    extension(NID_authority_key_identifier, false, value.get());
  }

  void alt_names(const GENERAL_NAMES* names) {
    extension(NID_subject_alt_name, false, const_cast<GENERAL_NAMES*>(names));
  }

  [[nodiscard]] Result<X509Ptr> done() && {
    if (!ok_) return fail(build_error());
    return std::move(x509_);
  }

 private:
  void keep(bool ok) noexcept { ok_ = ok_ && ok; }

  OctetStringPtr octet_string(ByteView content) {
    OctetStringPtr value(ASN1_OCTET_STRING_new());
    keep(value != nullptr && ASN1_OCTET_STRING_set(value.get(), octets(content),
                                                   static_cast<int>(content.size())) == 1);
    return value;
  }

  X509Ptr x509_;
  bool ok_ = true;
};

bool push_alt_name(GENERAL_NAMES* names, AltNameKind kind, std::string_view value) {
  GeneralNamePtr name(GENERAL_NAME_new());
  const Bytes content = alt_name_octets(kind, value);
  if (name == nullptr) return false;
  const int type = tag_of(kind) & 0x1f;
  // IA5String and OCTET STRING are one structure to OpenSSL; the type decides how it is tagged.
  ASN1_STRING* text =
      ASN1_STRING_type_new(kind == AltNameKind::ip ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
  if (text == nullptr) return false;
  GENERAL_NAME_set0_value(name.get(), type, text);
  if (ASN1_STRING_set(text, content.data(), static_cast<int>(content.size())) != 1) return false;
  if (sk_GENERAL_NAME_push(names, name.get()) <= 0) return false;
  (void)name.release();  // now in `names`
  return true;
}

/// Constants, and slots in their order, as one list of values.
class SlotReader {
 public:
  explicit SlotReader(std::span<const std::string_view> slots) : slots_(slots) {}

  std::string_view next(const std::optional<std::string>& constant) {
    return constant ? std::string_view(*constant) : slots_[used_++];
  }

 private:
  std::span<const std::string_view> slots_;
  std::size_t used_ = 0;
};

bool set_algorithm(X509* x509, SignatureAlgorithm algorithm) {
  // Signing would set it; we want the TBS without making a signature.
  const ByteView der = algorithm_identifier(algorithm);
  const unsigned char* at = octets(der);
  const AlgorithmPtr wanted(d2i_X509_ALGOR(nullptr, &at, static_cast<long>(der.size())));
  auto* target = const_cast<X509_ALGOR*>(X509_get0_tbs_sigalg(x509));
  return wanted != nullptr && X509_ALGOR_copy(target, wanted.get()) == 1;
}

Result<Bytes> encode_tbs(X509* x509, SignatureAlgorithm algorithm) {
  unsigned char* der = nullptr;
  const int size = set_algorithm(x509, algorithm) ? i2d_re_X509_tbs(x509, &der) : -1;
  if (size <= 0) return fail(build_error());
  const ByteView encoded = view_of(der, static_cast<std::size_t>(size));
  Bytes tbs(encoded.begin(), encoded.end());
  OPENSSL_free(der);
  return tbs;
}

}  // namespace

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

Result<Bytes> build_device_tbs(const ProfileSpec& spec, const Certificate& issuer,
                               SignatureAlgorithm algorithm, const DeviceValues& device) {
  SlotReader slots(device.slots);
  std::vector<SubjectAttribute> attributes;
  for (const ProfileAttribute& attribute : spec.subject) {
    attributes.push_back({attribute.field, std::string(slots.next(attribute.constant))});
  }
  const X509NamePtr subject = IMPRINT_TRY(build_name(attributes));
  const GeneralNamesPtr names(GENERAL_NAMES_new());
  for (const ProfileAltName& name : spec.alt_names) {
    if (names == nullptr || !push_alt_name(names.get(), name.kind, slots.next(name.constant))) {
      return fail(build_error());
    }
  }
  const Bytes authority_id = IMPRINT_TRY(authority_identifier(issuer));
  Builder builder;
  builder.serial(device.serial);
  builder.issuer(X509_get_subject_name(native_of(issuer)));
  builder.validity(spec.not_before, spec.not_after);
  builder.subject(subject.get());
  builder.public_key(device.public_key);
  builder.basic_constraints(false, std::nullopt);
  switch (spec.key) {
    case KeyKind::rsa_2048:
    case KeyKind::rsa_3072:
    case KeyKind::rsa_4096:
      builder.key_usage({kDigitalSignature, kKeyEncipherment});
      break;
    default:
      builder.key_usage({kDigitalSignature});
      break;
  }
  builder.client_authentication();
  builder.subject_key_identifier(device.key_identifier);
  builder.authority_key_identifier(authority_id);
  if (!spec.alt_names.empty()) builder.alt_names(names.get());
  const X509Ptr x509 = IMPRINT_TRY(std::move(builder).done());
  return encode_tbs(x509.get(), algorithm);
}

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
  Builder builder;
  builder.serial(serial);
  builder.issuer(issuer != nullptr ? X509_get_subject_name(native_of(*issuer)) : name.get());
  builder.validity(spec.not_before, spec.not_after);
  builder.subject(name.get());
  builder.public_key(key);
  builder.basic_constraints(true, spec.path_length);
  builder.key_usage({kDigitalSignature, kKeyCertSign, kCrlSign});
  builder.subject_key_identifier(id);
  builder.authority_key_identifier(authority_id);
  const X509Ptr x509 = IMPRINT_TRY(std::move(builder).done());
  return encode_tbs(x509.get(), algorithm);
}

}  // namespace imprint::crypto
