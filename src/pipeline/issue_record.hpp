#pragma once

#include <string>
#include <string_view>

#include "imprint/base/clock.hpp"
#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/certificate.hpp"
#include "imprint/ledger/ledger.hpp"

namespace imprint::pipeline {

/// The ledger's part in issuing one certificate to a file: it is known before it can be seen, and
/// then what became of it.
class IssueRecord {
 public:
  struct Issue {
    fs::path ledger;
    std::string_view command;
    std::string id;
    ledger::Purpose purpose = ledger::Purpose::device;
    std::string identity_data = {};  ///< a JSON object, empty for none
  };

  /// Code::invalid_input when the key was certified before.
  static Result<IssueRecord> begin(const Issue& issue, const crypto::Certificate& certificate,
                                   const crypto::Certificate& ca, const Clock& clock);

  Result<> placed(const fs::path& file, const Clock& clock);
  /// The error to go on with: this one, and that of the ledger when it could not be told.
  [[nodiscard]] Error failed(Error why, const Clock& clock);

 private:
  explicit IssueRecord(ledger::Ledger ledger) : ledger_(std::move(ledger)) {}

  Result<> end(ledger::State state, const std::string& file, const std::string& reason,
               const Clock& clock);

  ledger::Ledger ledger_;
  std::int64_t run_ = 0;
  std::int64_t row_ = 0;
};

}  // namespace imprint::pipeline
