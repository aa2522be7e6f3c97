#pragma once

#include <chrono>

#include <nlohmann/json.hpp>

#include "console.hpp"
#include "imprint/devauth/ledger_devices.hpp"

namespace imprint::cli {

/// Tells what went wrong as it happens, draws the progress line, keeps the list for --json, and
/// passes answers on to the ledger.
class PreauthorizeNarrator final : public devauth::Listener {
 public:
  /// All have to outlive it; `recorder` may be null. `list`: for take_devices.
  PreauthorizeNarrator(Console& console, std::size_t to_do, devauth::LedgerRecorder* recorder,
                       bool list)
      : console_(console),
        to_do_(to_do),
        recorder_(recorder),
        list_(list) {}

  Result<> answered(const devauth::Answer& answer) override;
  Result<> tick() override;

  /// The progress line makes room for a message.
  void clear_line();

  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(SteadyClock::now() - started_).count();
  }

  [[nodiscard]] nlohmann::ordered_json take_devices() { return std::move(devices_); }

 private:
  using SteadyClock = std::chrono::steady_clock;

  Console& console_;
  std::size_t to_do_;
  devauth::LedgerRecorder* recorder_;
  bool list_;
  std::size_t gone_ = 0;
  std::size_t failed_ = 0;
  SteadyClock::time_point started_ = SteadyClock::now();
  SteadyClock::time_point drawn_;
  nlohmann::ordered_json devices_ = nlohmann::ordered_json::array();
};

}  // namespace imprint::cli
