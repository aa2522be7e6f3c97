#include "imprint/devauth/ledger_devices.hpp"

#include <algorithm>
#include <iterator>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "imprint/base/text.hpp"

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

struct Variable {
  std::string_view braced;
  std::string (*of)(const ledger::DeviceRow& row);
};

/// Those of `ledger export`.
constexpr Variable kVariables[] = {
    {"{id}", [](const ledger::DeviceRow& row) { return row.device_id; }},
    {"{serial_hex}", [](const ledger::DeviceRow& row) { return to_hex(row.serial); }},
    {"{certificate_sha256}",
     [](const ledger::DeviceRow& row) { return to_hex(row.certificate_sha256); }},
    {"{public_key_sha256}",
     [](const ledger::DeviceRow& row) { return to_hex(row.public_key_sha256); }},
};

Result<std::string> expand(std::string_view text, const ledger::DeviceRow& row) {
  std::string expanded;
  while (!text.empty()) {
    const auto variable =
        std::find_if(std::begin(kVariables), std::end(kVariables),
                     [&](const Variable& known) { return text.starts_with(known.braced); });
    if (variable != std::end(kVariables)) {
      expanded += variable->of(row);
      text.remove_prefix(variable->braced.size());
      continue;
    }
    const bool doubled = text.starts_with("{{") || text.starts_with("}}");
    if (!doubled && (text.front() == '{' || text.front() == '}')) {
      return fail(Code::invalid_input,
                  "--identity-data: a ledger knows {id}, {serial_hex}, {certificate_sha256} and "
                  "{public_key_sha256}; a brace is '{{' or '}}'");
    }
    expanded += text.front();
    text.remove_prefix(doubled ? 2 : 1);
  }
  return expanded;
}

Result<std::string> identity_of(const ledger::DeviceRow& row, const IdentityTemplates& templates) {
  if (!row.identity_data.empty()) return row.identity_data;
  if (templates.empty()) {
    return fail(
        Code::invalid_input,
        fmt::format("of device {} the ledger does not know what it will report as its "
                    "identity; say it with --identity-data, for example mac={{id}}, or leave such "
                    "devices out with --skip-incomplete",
                    quoted(row.device_id)));
  }
  auto data = nlohmann::ordered_json::object();
  for (const auto& [name, value] : templates) {
    std::string text = IMPRINT_TRY(expand(value, row));
    data[name] = std::move(text);
  }
  return data.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

bool is_incomplete(const ledger::DeviceRow& row, const IdentityTemplates& templates) {
  return row.public_key.empty() || (row.identity_data.empty() && templates.empty());
}

Result<Preauthorization> device_of(const ledger::DeviceRow& row,
                                   const IdentityTemplates& templates) {
  if (row.public_key.empty()) {
    return fail(Code::invalid_input,
                fmt::format("device {} was recorded by an older imprint, without its public key; "
                            "give it a new identity, or leave such devices out with "
                            "--skip-incomplete",
                            quoted(row.device_id)));
  }
  Preauthorization device;
  device.label = row.device_id;
  device.identity_data = IMPRINT_TRY(identity_of(row, templates));
  device.public_key = row.public_key;
  device.row = row.certificate_row;
  return device;
}

}  // namespace

Result<LedgerDevices> devices_to_send(const ledger::Ledger& ledger, std::string_view server,
                                      const IdentityTemplates& identity, bool skip_incomplete) {
  LedgerDevices devices;
  std::optional<Error> first_error;
  IMPRINT_TRY(ledger.for_each_to_preauthorize(server, [&](const ledger::DeviceRow& row) {
    if (first_error) return;
    if (skip_incomplete && is_incomplete(row, identity)) {
      ++devices.incomplete;
      return;
    }
    auto device = device_of(row, identity);
    if (device) {
      devices.to_send.push_back(std::move(*device));
    } else {
      first_error = device.error();
    }
  }));
  if (first_error) return fail(std::move(*first_error));
  return devices;
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
