#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "imprint/authority/authority.hpp"
#include "imprint/base/clock.hpp"
#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/certificate.hpp"
#include "imprint/crypto/crl.hpp"

/// Taking certificates back: in the ledger, and in the lists that verifiers read.
namespace imprint::pipeline {

struct RevokeRequest {
  fs::path ledger;
  crypto::Certificate ca;                 ///< of which the certificates are; its key is not needed
  std::vector<std::string> ids;           ///< devices: their latest certificate
  bool all_of_each = false;               ///< ... and all earlier ones
  std::vector<std::string> serials;       ///< hexadecimal, in any case, colons allowed
  std::vector<std::string> fingerprints;  ///< SHA-256 of the certificate, likewise
  /// Certificates that this CA has issued elsewhere (its signature is verified). What the ledger
  /// does not know is recorded there, as device `elsewhere/COMMON NAME`, which no device of a batch
  /// can be called.
  std::vector<fs::path> certificates;
  /// Everything that is superseded or lost.
  bool superseded = false;
  /// None: `superseded` for what `superseded` alone names, otherwise `unspecified`.
  std::optional<crypto::RevocationReason> reason;
  bool dry_run = false;  ///< only say what would be revoked
};

struct RevokedCertificate {
  std::string device_id;
  std::string serial_hex;
  std::string state;  ///< the ledger's word
  std::string reason;
  TimePoint at;
  bool before = false;  ///< it was revoked already, and stays as it was
};

struct RevokeReport {
  std::vector<RevokedCertificate> certificates;
  std::vector<std::string> notes;
};

/// All or nothing; the ledger is made when only files are named and there is none. A name that the
/// ledger does not know is Code::not_found and says what to do; so is a certificate of another CA.
/// What was revoked before is no error.
[[nodiscard]] Result<RevokeReport> revoke(const RevokeRequest& request, const Clock& clock);

enum class CrlFormat {
  pem,
  der,
  /// What a Mender gateway reads at MTLS_BLACKLIST_PATH: serials in hexadecimal, one a line.
  blacklist,
};

[[nodiscard]] Result<CrlFormat> parse_crl_format(std::string_view word);

struct CrlRequest {
  fs::path ledger;
  authority::AuthoritySource authority;
  /// The same CA, opened already: its passphrase is not asked for again. Not for a blacklist.
  const authority::Authority* opened = nullptr;
  CrlFormat format = CrlFormat::pem;
  std::uint32_t days = 30;  ///< until the next one is due
  /// The caller has a FolderLock on the folder of the output: no lock file is made there.
  bool folder_is_locked = false;
};

struct CrlReport {
  std::uint64_t entries = 0;
  std::uint64_t number = 0;  ///< none for a blacklist: 0
  TimePoint this_update;
  TimePoint next_update;
  std::vector<std::string> warnings;
};

/// Writes the list to `output`, a piece at a time. A blacklist needs the CA's certificate only.
[[nodiscard]] Result<CrlReport> write_revocations(const CrlRequest& request, const Clock& clock,
                                                  const crypto::ByteSink& output);

/// The same into a file that appears whole, or stays what it was, beside a lock file that lets one
/// run at a time (Code::busy for the other). The CRL is read back and its signature verified before
/// it gets its name. Replaces a CRL of this CA, by a number above that one's, or a blacklist; any
/// other file is Code::exists.
[[nodiscard]] Result<CrlReport> write_revocations(const CrlRequest& request, const Clock& clock,
                                                  const fs::path& output);

}  // namespace imprint::pipeline
