#pragma once

#include <string>

#include "findings.hpp"
#include "imprint/crypto/certificate.hpp"
#include "imprint/ledger/ledger.hpp"

namespace imprint::verify {

/// The certificate is what the ledger has under its serial number: a device's, placed, not revoked.
/// Returns the device's id; empty when the ledger does not know it. Safe from several threads.
[[nodiscard]] std::string check_ledger(const crypto::Certificate& certificate,
                                       const ledger::Ledger& ledger, Findings& findings);

}  // namespace imprint::verify
