#pragma once

#include <string>

#include "imprint/crypto/certificate.hpp"
#include "imprint/ledger/ledger.hpp"

namespace imprint::pipeline {

/// A certificate as the ledger records it, when there is one at a time.
class IssuedCertificate {
 public:
  IssuedCertificate(std::string id, const crypto::Certificate& certificate);

  [[nodiscard]] const crypto::Sha256Digest& fingerprint() const noexcept { return fingerprint_; }

  [[nodiscard]] const crypto::Sha256Digest& public_key() const noexcept { return public_key_; }

  /// Refers to this object.
  [[nodiscard]] ledger::Issued record(TimePoint at) const noexcept;

 private:
  std::string id_;
  std::string subject_;
  Bytes serial_;
  crypto::Sha256Digest fingerprint_;
  crypto::Sha256Digest public_key_;
  TimePoint not_before_;
  TimePoint not_after_;
  std::string key_kind_;
};

}  // namespace imprint::pipeline
