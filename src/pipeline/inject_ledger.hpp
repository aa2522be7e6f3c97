#pragma once

#include <optional>
#include <string>

#include "imprint/authority/authority.hpp"
#include "imprint/crypto/certificate.hpp"
#include "imprint/ledger/ledger.hpp"
#include "imprint/manifest/manifest.hpp"
#include "imprint/pipeline/inject.hpp"

namespace imprint::pipeline {

/// The ledger's side of one inject. Without a ledger (a certificate made elsewhere, and no
/// --ledger) it does nothing.
class InjectLedger {
 public:
  /// Records the certificate as issued, in --ledger or beside the CA certificate. `identity_data`
  /// is what the device will report, a JSON object or nothing.
  static Result<InjectLedger> record(const InjectRequest& request,
                                     const manifest::Manifest& manifest,
                                     const std::optional<authority::Authority>& authority,
                                     const crypto::Certificate& certificate,
                                     const std::string& identity_data, const Clock& clock);

  /// Says which certificate is in the image now: superseded, if this ledger knows it, once the new
  /// one is placed.
  Result<> replaces(const std::optional<crypto::Certificate>& certificate);

  /// For the redo journal: which rows of which ledger an interrupted inject has to settle. Holds no
  /// secret.
  [[nodiscard]] std::string note() const;

  Result<> failed(std::string_view reason, const Clock& clock);
  Result<> placed(const Clock& clock);

  /// Settles the rows that a note names after recovery.
  static Result<> settle(std::string_view note, bool placed, const Clock& clock);

 private:
  Result<> conclude(ledger::State state, std::string_view reason, int exit_status,
                    const Clock& clock);

  std::optional<ledger::Ledger> ledger_;
  fs::path path_;
  std::string image_;
  std::int64_t run_ = 0;
  std::int64_t row_ = 0;
  std::int64_t replaced_row_ = 0;
};

}  // namespace imprint::pipeline
