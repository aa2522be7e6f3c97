#pragma once

#include <optional>
#include <span>
#include <string>

#include "builder.hpp"
#include "imprint/crypto/mint.hpp"
#include "openssl.hpp"

namespace imprint::crypto {

using GeneralNamesPtr = std::unique_ptr<GENERAL_NAMES, Freer<GENERAL_NAMES_free>>;

/// One certificate under construction by OpenSSL. Every step fails for want of memory or not at
/// all, so the steps only remember a failure and the last one tells it. Extensions stand in the
/// order in which they are added.
class CertificateBuilder {
 public:
  CertificateBuilder();

  void serial(const Serial& bytes);
  void validity(TimePoint not_before, TimePoint not_after);
  void issuer(const X509_NAME* name);
  void subject(const X509_NAME* name);
  void public_key(EVP_PKEY* key);

  void basic_constraints(bool ca, std::optional<long> path_length);
  /// Bits as RFC 5280 4.2.1.3 numbers them.
  void key_usage(std::span<const int> bits);
  void extended_key_usage(std::span<const std::string> dotted);
  void policies(std::span<const std::string> dotted);
  void subject_key_identifier(ByteView id);
  void authority_key_identifier(ByteView id);
  void alt_names(const GENERAL_NAMES* names, bool critical);

  /// DER of the TBSCertificate. No signature is made.
  [[nodiscard]] Result<Bytes> tbs(SignatureAlgorithm algorithm) &&;

 private:
  void keep(bool ok) noexcept { ok_ = ok_ && ok; }

  void extension(int nid, bool critical, void* value);

  X509Ptr x509_;
  bool ok_ = true;
};

/// GeneralNames with these, in this order; `slots` fill the names that are not constant. The values
/// have passed check_alt_name.
[[nodiscard]] Result<GeneralNamesPtr> build_alt_names(std::span<const ProfileAltName> names,
                                                      std::span<const std::string_view> slots);

[[nodiscard]] Error build_error();

}  // namespace imprint::crypto
