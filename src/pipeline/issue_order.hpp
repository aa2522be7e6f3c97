#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "imprint/authority/authority.hpp"
#include "imprint/base/clock.hpp"
#include "imprint/crypto/issue.hpp"
#include "imprint/ledger/ledger.hpp"
#include "imprint/pipeline/issue.hpp"

namespace imprint::pipeline {

/// One issue of one certificate: who it is for, and where it goes.
struct IssueOrder {
  const authority::Authority& authority;
  const IssueTarget& target;
  ledger::Purpose purpose;
  std::string id;    ///< in the ledger
  std::string stem;  ///< of the file names
  crypto::ProfileSpec profile;
  std::vector<std::string> slots;
  std::string identity_data;       ///< of a device, for the ledger
  std::vector<std::string> notes;  ///< for the report
  std::vector<std::string> warnings;
};

/// The certificate for a key, of the order's kind, as its verifiers see it.
[[nodiscard]] Result<crypto::Certificate> certify(const IssueOrder& order,
                                                  const crypto::PublicKey& key, TimePoint now);

/// The authority's, then the order's.
[[nodiscard]] std::vector<std::string> all_warnings(const IssueOrder& order);

/// Everything checked, then the ledger, then the files; none is overwritten. `command` is for the
/// ledger.
[[nodiscard]] Result<IssueReport> issue(IssueOrder order, std::string_view command,
                                        const Clock& clock);

}  // namespace imprint::pipeline
