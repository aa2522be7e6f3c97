#include "ledger_record.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "imprint/base/text.hpp"

namespace imprint::verify {

std::string check_ledger(const crypto::Certificate& certificate, const ledger::Ledger& ledger,
                         Findings& findings) {
  const auto failed = [&](std::string why) { findings.failed(check::kLedger, std::move(why)); };
  const std::string serial = certificate.serial_hex();
  const auto row = ledger.find_serial(certificate.serial());
  if (!row) {
    failed(row.error().message());
    return {};
  }
  if (!*row) {
    failed(fmt::format("it does not know serial {}", serial));
    return {};
  }
  const ledger::DeviceRow& known = **row;
  if (!std::ranges::equal(known.certificate_sha256, certificate.fingerprint())) {
    failed(fmt::format("serial {} is another certificate there, of {}", serial,
                       quoted(known.device_id)));
    return {};
  }
  if (known.purpose != ledger::Purpose::device) {
    failed(fmt::format("it is recorded as that of a {}", ledger::name(known.purpose)));
  } else if (known.state != ledger::State::placed) {
    failed(fmt::format("it is recorded as {}{}{}", ledger::name(known.state),
                       known.reason.empty() ? "" : ": ", known.reason));
  } else {
    findings.passed(check::kLedger,
                    fmt::format("{}, placed on {}", known.device_id, to_rfc3339(known.state_at)));
  }
  if (known.revoked) {
    findings.failed(check::kRevocation,
                    fmt::format("revoked on {} ({}), by the ledger", to_rfc3339(known.revoked_at),
                                known.revoked_for));
  }
  return known.device_id;
}

}  // namespace imprint::verify
