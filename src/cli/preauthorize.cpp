#include "imprint/devauth/preauthorize.hpp"

#include <array>
#include <chrono>
#include <iostream>
#include <memory>
#include <optional>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "command.hpp"
#include "help.hpp"
#include "imprint/base/file.hpp"
#include "imprint/base/text.hpp"
#include "imprint/crypto/certificate.hpp"
#include "imprint/devauth/ledger_devices.hpp"
#include "imprint/devauth/token.hpp"
#include "imprint/pipeline/export.hpp"
#include "interrupt.hpp"
#include "progress.hpp"

namespace imprint::cli {

namespace {

using devauth::Answer;
using devauth::Outcome;

struct PreauthorizeOptions {
  fs::path ledger = "ledger.db";
  std::string bodies;
  std::string server;
  fs::path token_file;
  fs::path ca_file;
  std::vector<std::string> identity_data;
  unsigned jobs = 8;
  unsigned retries = 5;
  unsigned timeout_seconds = 30;
  bool force = false;
  bool skip_incomplete = false;
  bool dry_run = false;
  bool json = false;
};

/// Everything that is read before the first request.
struct Prepared {
  devauth::ServerUrl server;
  devauth::Token token;
  Bytes ca_pem;
  std::optional<ledger::Ledger> ledger;  ///< to record in
  std::vector<devauth::Preauthorization> devices;
  std::size_t incomplete = 0;
};

Result<Bytes> read_ca_file(const fs::path& path) {
  if (path.empty()) return Bytes();
  constexpr std::uint64_t kLargest = 16U << 20;  // the system's store has 200 KB
  Bytes pem = IMPRINT_TRY(read_file(path, kLargest).context("--ca-file"));
  IMPRINT_TRY(crypto::Certificate::parse_all(pem).context("--ca-file " + quoted(path.string())));
  return pem;
}

Result<std::string> read_all_of_input() {
  constexpr std::size_t kLargest = std::size_t{1} << 30;
  std::string text;
  std::array<char, 65536> part{};
  while (std::cin.read(part.data(), part.size()) || std::cin.gcount() > 0) {
    text.append(part.data(), static_cast<std::size_t>(std::cin.gcount()));
    if (text.size() > kLargest) {
      return fail(Code::invalid_input, "--bodies -: more than 1 GiB; give it in parts");
    }
  }
  return text;
}

Result<std::vector<devauth::Preauthorization>> read_bodies(const std::string& source) {
  std::string text;
  if (source == "-") {
    text = IMPRINT_TRY(read_all_of_input());
  } else {
    const Bytes bytes = IMPRINT_TRY(read_file(source).context("--bodies"));
    text = text_of(bytes);
  }
  return devauth::parse_bodies(text).context("--bodies " + quoted(source));
}

Result<Prepared> prepare(const PreauthorizeOptions& options) {
  auto server = IMPRINT_TRY(devauth::ServerUrl::parse(options.server).context("--server"));
  auto token = IMPRINT_TRY(devauth::read_token(options.token_file).context("--token-file"));
  auto ca_pem = IMPRINT_TRY(read_ca_file(options.ca_file));
  Prepared prepared{.server = std::move(server),
                    .token = std::move(token),
                    .ca_pem = std::move(ca_pem),
                    .ledger = std::nullopt,
                    .devices = {},
                    .incomplete = 0};
  if (!options.bodies.empty()) {
    prepared.devices = IMPRINT_TRY(read_bodies(options.bodies));
    return prepared;
  }
  const auto identity = IMPRINT_TRY(pipeline::parse_identity_data(options.identity_data));
  // Only read so far: what is refused leaves everything as it was.
  const auto ledger = IMPRINT_TRY(ledger::Ledger::open_read_only(options.ledger));
  auto devices = IMPRINT_TRY(
      devauth::devices_to_send(ledger, prepared.server.text(), identity, options.skip_incomplete));
  prepared.devices = std::move(devices.to_send);
  prepared.incomplete = devices.incomplete;
  if (options.dry_run) return prepared;
  auto writable = IMPRINT_TRY(ledger::Ledger::open(options.ledger));
  prepared.ledger.emplace(std::move(writable));
  return prepared;
}

/// Tells what went wrong as it happens, draws the progress line, keeps the list for --json, and
/// passes answers on to the ledger.
class Narrator final : public devauth::Listener {
 public:
  Narrator(Console& console, std::size_t to_do, devauth::LedgerRecorder* recorder, bool list)
      : console_(console),
        to_do_(to_do),
        recorder_(recorder),
        list_(list) {}

  Result<> answered(const Answer& answer) override {
    ++gone_;
    const bool bad = answer.outcome == Outcome::conflict || answer.outcome == Outcome::failed;
    if (bad) {
      ++failed_;
      clear_line();
      console_.note(fmt::format("{}: {}: {}", quoted(answer.device.label),
                                devauth::name(answer.outcome), answer.reason));
    }
    if (list_) {
      devices_.push_back({{"device", answer.device.label},
                          {"outcome", devauth::name(answer.outcome)},
                          {"device_id", text_or_null(answer.device_id)},
                          {"reason", text_or_null(answer.reason)}});
    }
    return recorder_ != nullptr ? recorder_->answered(answer) : Result<>();
  }

  Result<> tick() override {
    using namespace std::chrono_literals;
    const auto now = SteadyClock::now();
    if (console_.live() && now - drawn_ >= 100ms) {
      drawn_ = now;
      const double elapsed = std::chrono::duration<double>(now - started_).count();
      console_.err() << "\r\033[K" << progress_text(gone_, failed_, to_do_, elapsed) << std::flush;
    }
    return recorder_ != nullptr ? recorder_->tick() : Result<>();
  }

  void clear_line() {
    if (console_.live()) console_.err() << "\r\033[K" << std::flush;
  }

  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(SteadyClock::now() - started_).count();
  }

  [[nodiscard]] nlohmann::ordered_json take_devices() { return std::move(devices_); }

 private:
  using SteadyClock = std::chrono::steady_clock;

  static nlohmann::ordered_json text_or_null(std::string_view text) {
    return text.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(text);
  }

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

void print_json(const Prepared& prepared, const devauth::Summary& summary, Narrator& narrator,
                Console& console) {
  const nlohmann::ordered_json record = {
      {"version", 1},
      {"server", prepared.server.text()},
      {"accepted", summary.accepted},
      {"known", summary.known},
      {"conflicts", summary.conflicts},
      {"failed", summary.failed},
      {"not_sent", summary.not_sent},
      {"interrupted", summary.interrupted},
      {"stopped", summary.stopped ? nlohmann::ordered_json(summary.stopped->message()) : nullptr},
      {"devices", narrator.take_devices()},
  };
  console.out() << record.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace)
                << '\n';
}

std::string words_of(const devauth::Summary& summary) {
  std::string words = fmt::format("{} accepted, {} known", summary.accepted, summary.known);
  if (summary.conflicts > 0) words += fmt::format(", {} in conflict", summary.conflicts);
  if (summary.failed > 0) words += fmt::format(", {} failed", summary.failed);
  if (summary.not_sent > 0) words += fmt::format(", {} not sent", summary.not_sent);
  return words;
}

Exit status_of(const devauth::Summary& summary, Console& console) {
  if (summary.stopped) return console.fail(*summary.stopped);
  if (summary.interrupted) {
    console.note("interrupted: run the same command again to go on");
    return Exit::interrupted;
  }
  return summary.conflicts + summary.failed > 0 ? Exit::some_failed : Exit::done;
}

Exit send(const PreauthorizeOptions& options, Prepared& prepared, Console& console) {
  const InterruptGuard interrupt;
  std::optional<devauth::LedgerRecorder> recorder;
  if (prepared.ledger) {
    recorder.emplace(*prepared.ledger, prepared.server.text(), system_clock());
  }
  Narrator narrator(console, prepared.devices.size(), recorder ? &*recorder : nullptr,
                    options.json);
  const devauth::Options run{.server = prepared.server,
                             .token = prepared.token.text,
                             .ca_pem = prepared.ca_pem,
                             .jobs = options.jobs,
                             .retries = options.retries,
                             .timeout = std::chrono::seconds(options.timeout_seconds),
                             .force = options.force};
  const auto summary =
      devauth::preauthorize(prepared.devices, run, narrator, interrupt.requested());
  narrator.clear_line();
  const auto recorded = recorder ? recorder->flush() : Result<>();
  if (!summary) return console.fail(summary.error());
  if (!recorded) return console.fail(recorded.error());
  if (options.json) print_json(prepared, *summary, narrator, console);
  console.note(fmt::format("{} devices: {} in {}", prepared.devices.size(), words_of(*summary),
                           duration_text(narrator.seconds())));
  return status_of(*summary, console);
}

Exit run_preauthorize(const PreauthorizeOptions& options, Console& console) {
  auto prepared = prepare(options);
  if (!prepared) return console.fail(prepared.error());
  if (prepared->token.readable_by_others) {
    console.warn(
        fmt::format("others can read {}; chmod 600 it", quoted(options.token_file.string())));
  }
  if (prepared->incomplete > 0) {
    console.warn(fmt::format("{} devices are left out: the ledger knows too little of them",
                             prepared->incomplete));
  }
  if (options.dry_run) {
    const std::size_t count = prepared->devices.size();
    if (options.json) {
      const nlohmann::ordered_json plan = {
          {"version", 1}, {"server", prepared->server.text()}, {"to_send", count}};
      console.out() << plan.dump(2) << '\n';
    } else {
      console.out() << fmt::format("{} devices would be sent to {}\n", count,
                                   prepared->server.text());
    }
    return Exit::done;
  }
  return send(options, *prepared, console);
}

}  // namespace

Action add_preauthorize(CLI::App& program) {
  auto options = std::make_shared<PreauthorizeOptions>();
  CLI::App* command =
      program.add_subcommand("preauthorize", "Tell a Mender server of devices before they connect");
  command->footer(std::string(help::kPreauthorize));
  CLI::Option* ledger = command->add_option("LEDGER", options->ledger, "Whose devices to send")
                            ->capture_default_str();
  command
      ->add_option("--bodies", options->bodies,
                   "Send the bodies in this file, one JSON object a line ('-': standard input)")
      ->excludes(ledger);
  command->add_option("--server", options->server, "The Mender server: https://HOST")->required();
  command
      ->add_option("--token-file", options->token_file,
                   "File with a token of the management API, and nothing else")
      ->required();
  command->add_option("--ca-file", options->ca_file,
                      "Trust these certificates too, besides the system's (server.crt)");
  command->add_option("--jobs", options->jobs, "Requests at a time")
      ->check(CLI::Range(1U, 256U))
      ->capture_default_str();
  command->add_option("--retries", options->retries, "Tries after one that may pass has failed")
      ->check(CLI::Range(0U, 100U))
      ->capture_default_str();
  command->add_option("--timeout", options->timeout_seconds, "Seconds for one request")
      ->check(CLI::Range(1U, 3600U))
      ->capture_default_str();
  command->add_flag("--force", options->force,
                    "Give devices that are known by another key this one too");
  command->add_option("--identity-data", options->identity_data,
                      "What devices report of which the ledger does not know it: NAME=TEMPLATE "
                      "with {id} or {serial_hex} (repeat as needed)");
  command->add_flag("--skip-incomplete", options->skip_incomplete,
                    "Leave out devices of which the ledger knows no identity or key");
  command->add_flag("--dry-run", options->dry_run, "Check everything and say how many; send none");
  command->add_flag("--json", options->json, "Print what became of each device as JSON");
  return [options](Console& console) { return run_preauthorize(*options, console); };
}

}  // namespace imprint::cli
