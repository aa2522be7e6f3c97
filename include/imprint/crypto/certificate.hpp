#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "imprint/base/bytes.hpp"
#include "imprint/base/clock.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/digest.hpp"
#include "imprint/crypto/key.hpp"
#include "imprint/crypto/name.hpp"

namespace imprint::crypto {

/// 99991231235959Z, RFC 5280 4.1.2.5: "no well-defined expiration date".
inline constexpr TimePoint kNoExpiry{std::chrono::seconds{253402300799}};

/// A parsed X.509 certificate, immutable. Copies share the parsed form; reading is thread-safe.
class Certificate {
 public:
  struct Native;  // X509

  explicit Certificate(std::shared_ptr<const Native> native);

  /// First certificate of a PEM text (text around it is skipped), or DER.
  static Result<Certificate> parse(ByteView pem_or_der);
  /// All certificates of a PEM text, in order; none is an error.
  static Result<std::vector<Certificate>> parse_all(ByteView pem);

  [[nodiscard]] Bytes der() const;
  [[nodiscard]] std::string to_pem() const;
  /// The serial's magnitude, big-endian.
  [[nodiscard]] Bytes serial() const;
  /// Lower-case hex of the serial's magnitude, as `openssl x509 -serial` prints it but in lower
  /// case, two digits a byte.
  [[nodiscard]] std::string serial_hex() const;
  [[nodiscard]] Sha256Digest fingerprint() const;  ///< SHA-256 of the DER
  [[nodiscard]] Bytes public_key_der() const;      ///< SubjectPublicKeyInfo
  [[nodiscard]] TimePoint not_before() const;
  [[nodiscard]] TimePoint not_after() const;
  [[nodiscard]] std::string subject_text() const;  ///< RFC 2253, UTF-8, one line
  [[nodiscard]] std::string issuer_text() const;
  /// First CN, empty when there is none.
  [[nodiscard]] std::string common_name() const;
  [[nodiscard]] int version() const;          ///< 1 or 3
  [[nodiscard]] bool is_self_signed() const;  ///< by its names and key identifiers
  [[nodiscard]] bool has_basic_constraints() const;
  [[nodiscard]] bool is_ca() const;                       ///< v3 with basicConstraints cA TRUE
  [[nodiscard]] std::optional<long> path_length() const;  ///< basicConstraints pathLen
  [[nodiscard]] bool may_sign_certificates() const;       ///< keyUsage absent or has keyCertSign
  [[nodiscard]] bool may_sign_crls() const;               ///< keyUsage absent or has cRLSign
  /// Purposes and usages allow its key to authenticate a TLS client.
  [[nodiscard]] bool may_be_tls_client() const;
  /// Object identifier of a critical extension that OpenSSL does not handle: verifiers refuse it.
  [[nodiscard]] std::optional<std::string> unhandled_critical_extension() const;
  [[nodiscard]] std::string signature_algorithm()
      const;                                      ///< OpenSSL's long name: `ecdsa-with-SHA256`
  [[nodiscard]] bool has_weak_signature() const;  ///< made with SHA-1, MD5 or older
  [[nodiscard]] std::optional<KeyKind> key_kind()
      const;  ///< none: a key this version does not handle

  [[nodiscard]] const Native& native() const noexcept { return *native_; }

 private:
  std::shared_ptr<const Native> native_;
};

/// Whether the private key is the one the certificate's public key belongs to (compares public
/// keys, then signs and verifies a probe).
[[nodiscard]] bool belongs_together(const PrivateKey& key, const Certificate& certificate);

/// `strict` is `openssl verify -x509_strict`. `plain` leaves that out, for CAs that predate its
/// rules (v1 roots, roots without key identifier).
enum class Strictness { strict, plain };

/// What `openssl verify -x509_strict -purpose sslclient -partial_chain` would check, at a time:
/// chain up to one of `trusted` (through `intermediates`), validity, purpose. The error carries
/// OpenSSL's reason.
[[nodiscard]] Result<> verify_client_certificate(const Certificate& leaf,
                                                 std::span<const Certificate> intermediates,
                                                 std::span<const Certificate> trusted, TimePoint at,
                                                 Strictness strictness = Strictness::strict);

/// The same with `-purpose sslserver`.
[[nodiscard]] Result<> verify_server_certificate(const Certificate& leaf,
                                                 std::span<const Certificate> intermediates,
                                                 std::span<const Certificate> trusted, TimePoint at,
                                                 Strictness strictness = Strictness::strict);

/// Whether `issuer` has the name that the certificate gives its issuer, and made its signature.
[[nodiscard]] bool is_issued_by(const Certificate& certificate, const Certificate& issuer);

/// An attribute of a subject, which has them in the order in which they are encoded. Values are
/// checked by check_name_value.
struct SubjectAttribute {
  NameField field{};
  std::string value;
};

/// The same as Certificate::subject_text gives it.
[[nodiscard]] std::string subject_text(std::span<const SubjectAttribute> subject);

struct CaSpec {
  std::vector<SubjectAttribute> subject;
  TimePoint not_before;
  TimePoint not_after;
  std::optional<long> path_length;
};

/// Self-signed CA certificate after RFC 5280: v3, random 16-byte serial,
/// basicConstraints critical CA:TRUE, keyUsage critical keyCertSign cRLSign digitalSignature, SKI,
/// AKI keyid.
[[nodiscard]] Result<Certificate> make_ca_certificate(const CaSpec& spec, const PrivateKey& key);

}  // namespace imprint::crypto
