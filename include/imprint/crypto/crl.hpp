#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "imprint/base/bytes.hpp"
#include "imprint/base/clock.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/certificate.hpp"
#include "imprint/crypto/signer.hpp"

namespace imprint::crypto {

/// Why a certificate was revoked, RFC 5280 5.3.1. The values are the standard's.
enum class RevocationReason : std::uint8_t {
  unspecified = 0,
  key_compromise = 1,
  ca_compromise = 2,
  affiliation_changed = 3,
  superseded = 4,
  cessation_of_operation = 5,
  certificate_hold = 6,
  privilege_withdrawn = 9,
  aa_compromise = 10,
};

/// The standard's words: `keyCompromise`.
[[nodiscard]] std::string_view word(RevocationReason reason) noexcept;
/// In any case; the error names the nearest, or all.
[[nodiscard]] Result<RevocationReason> parse_revocation_reason(std::string_view word);

/// One entry of a CRL.
struct CrlEntry {
  ByteView serial;  ///< the magnitude, big-endian
  TimePoint revoked_at;
  RevocationReason reason = RevocationReason::unspecified;
};

struct CrlSpec {
  std::uint64_t number = 0;
  TimePoint this_update;
  TimePoint next_update;
};

/// Calls its argument with every entry. It is called three times and has to give the same each
/// time.
using CrlEntries = std::function<Result<>(const std::function<Result<>(const CrlEntry&)>& take)>;

/// Takes the next bytes of the CRL.
using ByteSink = std::function<Result<>(ByteView)>;

/// What a CRL takes when it is written.
struct CrlSize {
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;  ///< DER, at most
};

/// Writes a CRL (RFC 5280 5: v2, the issuer's name byte for byte, AKI, cRLNumber, entries with a
/// reason unless that is unspecified) as DER to `sink`, in memory that does not grow with the
/// entries, except that Ed25519 signs the whole message at once. The signature is verified with the
/// issuer's certificate before the first byte is written.
///
/// Rejected: OpenSSL's X509_CRL, which holds 300 bytes an entry.
[[nodiscard]] Result<CrlSize> write_crl(const CrlSpec& spec, const Certificate& issuer,
                                        Signer& signer, const CrlEntries& entries,
                                        const ByteSink& sink);

/// PEM around what goes through, for `write_crl`: `-----BEGIN X509 CRL-----`.
class PemStream {
 public:
  PemStream(std::string_view label, ByteSink sink);

  Result<> write(ByteView der);
  /// The last line and the end. Nothing may follow.
  Result<> finish();

 private:
  Result<> put_line(ByteView octets);

  std::string_view label_;
  ByteSink sink_;
  Bytes rest_;  // less than a line
  bool begun_ = false;
};

/// Reads a CRL back with OpenSSL (PEM or DER), and verifies its signature and its issuer's name.
[[nodiscard]] Result<> check_crl(ByteView pem_or_der, const Certificate& issuer);

}  // namespace imprint::crypto
