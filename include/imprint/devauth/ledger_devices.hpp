#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "imprint/base/clock.hpp"
#include "imprint/devauth/preauthorize.hpp"
#include "imprint/ledger/ledger.hpp"
#include "imprint/manifest/manifest.hpp"

namespace imprint::devauth {

struct LedgerDevices {
  std::vector<Preauthorization> to_send;
  std::size_t incomplete = 0;  ///< left out
};

/// The devices of a ledger that this server does not have yet: placed, not revoked, and without an
/// answer `accepted` or `known`. Labels are the devices' ids, rows those of their certificates.
/// `identity` is what those report of which the ledger does not know it (pipeline/export.hpp). Of
/// which it does not know identity or key: left out with `skip_incomplete`, otherwise
/// Code::invalid_input that names the first.
[[nodiscard]] Result<LedgerDevices> devices_to_send(
    const ledger::Ledger& ledger, std::string_view server,
    const std::vector<manifest::IdentityDatum>& identity, bool skip_incomplete);

/// Records answers in the ledger: many in a transaction, none later than half a second after it
/// came. What a process that is killed loses, the next run is told by the server as `known`.
class LedgerRecorder final : public Listener {
 public:
  /// All have to outlive it.
  LedgerRecorder(ledger::Ledger& ledger, std::string_view server, const Clock& clock)
      : ledger_(ledger),
        server_(server),
        clock_(clock) {}

  Result<> answered(const Answer& answer) override;
  Result<> tick() override;
  /// At the end of a run, however it went.
  Result<> flush();

 private:
  struct Kept {
    std::int64_t row;
    ledger::PreauthorizationState state;
    std::string device_id;
    std::string reason;
    TimePoint at;
  };

  ledger::Ledger& ledger_;
  std::string_view server_;
  const Clock& clock_;
  std::vector<Kept> kept_;
  std::chrono::steady_clock::time_point oldest_;
};

}  // namespace imprint::devauth
