#pragma once

#include <string>

#include "imprint/crypto/certificate.hpp"
#include "imprint/ledger/ledger.hpp"

namespace imprint::pipeline {

/// A certificate as the ledger records it, when there is one at a time.
class IssuedCertificate {
 public:
  IssuedCertificate(std::string id, const crypto::Certificate& certificate,
                    ledger::Purpose purpose = ledger::Purpose::device,
                    std::string identity_data = {});

  [[nodiscard]] const crypto::Sha256Digest& fingerprint() const noexcept { return fingerprint_; }

  [[nodiscard]] const crypto::Sha256Digest& public_key_sha256() const noexcept {
    return public_key_sha256_;
  }

  /// Refers to this object.
  [[nodiscard]] ledger::Issued record(TimePoint at) const noexcept;

 private:
  std::string id_;
  std::string subject_;
  Bytes serial_;
  crypto::Sha256Digest fingerprint_;
  Bytes certificate_;
  Bytes public_key_;
  crypto::Sha256Digest public_key_sha256_;
  TimePoint not_before_;
  TimePoint not_after_;
  std::string key_kind_;
  ledger::Purpose purpose_;
  std::string identity_data_;
};

}  // namespace imprint::pipeline
