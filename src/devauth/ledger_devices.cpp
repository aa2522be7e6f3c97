#include "imprint/devauth/ledger_devices.hpp"

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

Result<std::string> expand(std::string_view text, const ledger::DeviceRow& row) {
  std::string expanded;
  while (!text.empty()) {
    if (text.starts_with("{{") || text.starts_with("}}")) {
      expanded += text.front();
      text.remove_prefix(2);
    } else if (text.starts_with("{id}")) {
      expanded += row.device_id;
      text.remove_prefix(4);
    } else if (text.starts_with("{serial_hex}")) {
      expanded += to_hex(row.serial);
      text.remove_prefix(12);
    } else if (text.front() == '{' || text.front() == '}') {
      return fail(Code::invalid_input,
                  "--identity-data: a ledger knows {id} and {serial_hex}; a brace is '{{' or '}}'");
    } else {
      expanded += text.front();
      text.remove_prefix(1);
    }
  }
  return expanded;
}

Result<std::string> identity_of(const ledger::DeviceRow& row, const IdentityTemplates& templates) {
  if (!row.identity_data.empty()) return row.identity_data;
  if (templates.empty()) {
    return fail(Code::invalid_input,
                fmt::format("of device {} the ledger does not know what it will report as its "
                            "identity; say it with --identity-data, for example mac={{id}}",
                            quoted(row.device_id)));
  }
  auto data = nlohmann::ordered_json::object();
  for (const auto& [name, value] : templates) {
    std::string text = IMPRINT_TRY(expand(value, row));
    data[name] = std::move(text);
  }
  return data.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

Result<Preauthorization> device_of(const ledger::DeviceRow& row,
                                   const IdentityTemplates& templates) {
  if (row.public_key.empty()) {
    return fail(Code::invalid_input,
                fmt::format("device {} was recorded by an older imprint, without its public key; "
                            "make it anew, or give what is left as --bodies",
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

Result<std::vector<Preauthorization>> devices_to_send(const ledger::Ledger& ledger,
                                                      std::string_view server,
                                                      const IdentityTemplates& identity) {
  std::vector<Preauthorization> devices;
  std::optional<Error> first_error;
  IMPRINT_TRY(ledger.for_each_to_preauthorize(server, [&](const ledger::DeviceRow& row) {
    if (first_error) return;
    auto device = device_of(row, identity);
    if (device) {
      devices.push_back(std::move(*device));
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
