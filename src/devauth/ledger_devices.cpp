#include "imprint/devauth/ledger_devices.hpp"

#include <optional>

#include "imprint/base/text.hpp"
#include "imprint/pipeline/export.hpp"

namespace imprint::devauth {

namespace {

using ledger::PreauthorizationState;

/// A transaction is synced to disk, which takes longer than a request.
constexpr std::size_t kMostKept = 256;
constexpr auto kLongestKept = std::chrono::milliseconds(500);

PreauthorizationState state_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::accepted:
      return PreauthorizationState::accepted;
    case Outcome::known:
      return PreauthorizationState::known;
    case Outcome::conflict:
      return PreauthorizationState::conflict;
    case Outcome::failed:
      break;
  }
  return PreauthorizationState::rejected;
}

}  // namespace

Result<LedgerDevices> devices_to_send(const ledger::Ledger& ledger, std::string_view server,
                                      const std::vector<manifest::IdentityDatum>& identity,
                                      bool skip_incomplete) {
  LedgerDevices devices;
  std::optional<Error> first_error;
  IMPRINT_TRY(ledger.for_each_to_preauthorize(server, [&](const ledger::DeviceRow& row) {
    if (first_error) return;
    auto introduction = pipeline::introduction_of(row, identity);
    if (introduction) {
      devices.to_send.push_back({.label = row.device_id,
                                 .identity_data = std::move(introduction->identity_data),
                                 .public_key = std::move(introduction->public_key),
                                 .row = row.certificate_row});
    } else if (skip_incomplete && introduction.error().code == Code::not_found) {
      ++devices.incomplete;
    } else {
      first_error = std::move(introduction).error().context("device " + quoted(row.device_id));
    }
  }));
  if (!first_error) return devices;
  // Of a device, not of a file: nobody has to look for one.
  if (first_error->code == Code::not_found) first_error->code = Code::invalid_input;
  return fail(std::move(*first_error));
}

Result<> LedgerRecorder::answered(const Answer& answer) {
  if (kept_.empty()) oldest_ = std::chrono::steady_clock::now();
  kept_.push_back(Kept{.row = answer.device.row,
                       .state = state_of(answer.outcome),
                       .device_id = std::string(answer.device_id),
                       .reason = std::string(answer.reason),
                       .at = clock_.now()});
  return kept_.size() < kMostKept ? Result<>() : flush();
}

Result<> LedgerRecorder::tick() {
  if (kept_.empty() || std::chrono::steady_clock::now() - oldest_ < kLongestKept) return {};
  return flush();
}

Result<> LedgerRecorder::flush() {
  std::vector<ledger::Preauthorization> answers;
  answers.reserve(kept_.size());
  for (const Kept& kept : kept_) {
    answers.push_back(ledger::Preauthorization{.certificate_row = kept.row,
                                               .server = server_,
                                               .device_id = kept.device_id,
                                               .state = kept.state,
                                               .reason = kept.reason,
                                               .at = kept.at});
  }
  if (!answers.empty()) IMPRINT_TRY(ledger_.record_preauthorized(answers));
  kept_.clear();
  return {};
}

}  // namespace imprint::devauth
