#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "findings.hpp"
#include "imprint/base/clock.hpp"
#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/certificate.hpp"

namespace imprint::verify {

/// A CRL of one of the trusted CAs, its signature verified.
struct RevokedSerials {
  fs::path file;
  Bytes issuer;  ///< DER of the Name
  TimePoint this_update;
  std::optional<TimePoint> next_update;
  std::vector<std::string> serials;  ///< magnitudes, sorted by bytes

  [[nodiscard]] bool holds(ByteView serial) const;
};

/// Whom certificates have to come from. Immutable once loaded.
struct Trust {
  std::vector<crypto::Certificate> authorities;
  std::vector<RevokedSerials> crls;
};

/// Reads CA certificates (PEM files, or CA folders, of which it is the CA with its chain) and CRLs,
/// each of which one of the CAs must have signed.
[[nodiscard]] Result<Trust> load_trust(std::span<const fs::path> authorities,
                                       std::span<const fs::path> crls);

/// Validity at a time, purpose, chain to a trusted CA and the CRLs. Each says only what is its own:
/// the chain of an expired certificate is looked at in the time it was valid.
void check_trust(const crypto::Certificate& certificate, const Trust& trust, TimePoint at,
                 Findings& findings);

}  // namespace imprint::verify
