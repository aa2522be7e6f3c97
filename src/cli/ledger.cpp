#include "imprint/ledger/ledger.hpp"

#include <array>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "command.hpp"
#include "help.hpp"
#include "imprint/base/file.hpp"
#include "imprint/base/text.hpp"

namespace imprint::cli {

namespace {

using ledger::DeviceRow;
using ledger::State;

struct ListOptions {
  fs::path file = "ledger.db";
  std::string state;
  bool revoked = false;
  std::string id;
  std::string format = "table";
};

constexpr std::array kStates = {State::issued, State::placed, State::failed, State::superseded,
                                State::lost};

Result<std::optional<State>> parse_state(const std::string& text) {
  if (text.empty()) return std::optional<State>();
  std::array<std::string_view, kStates.size()> known;
  for (std::size_t i = 0; i < kStates.size(); ++i) {
    known[i] = ledger::name(kStates[i]);
    if (equal_ignoring_ascii_case(known[i], text)) return std::optional<State>(kStates[i]);
  }
  const auto meant = nearest(text, known);
  return fail(Code::invalid_input,
              fmt::format("--state {} is no state; {}", quoted(text),
                          meant ? "did you mean " + quoted(*meant) + "?"
                                : fmt::format("known are {}", fmt::join(known, ", "))));
}

/// How rows are printed: one at a time, so that a ledger may be of any size.
class Listing {
 public:
  explicit Listing(std::ostream& out) : out_(out) {}

  virtual ~Listing() = default;
  Listing(const Listing&) = delete;
  Listing& operator=(const Listing&) = delete;

  virtual void begin() = 0;
  virtual void row(const DeviceRow& row) = 0;

  virtual void end() {}

 protected:
  [[nodiscard]] std::ostream& out() noexcept { return out_; }

 private:
  std::ostream& out_;
};

std::string revoked_at(const DeviceRow& row) {
  return row.revoked ? to_rfc3339(row.revoked_at) : std::string();
}

/// For people: columns as wide as what is usual, text that cannot upset a terminal.
class Table final : public Listing {
 public:
  using Listing::Listing;

  void begin() override {
    line("ID", "STATE", "REVOKED", "SERIAL", "NOT BEFORE", "NOT AFTER", "FILE");
  }

  void row(const DeviceRow& row) override {
    line(printable(row.device_id), ledger::name(row.state),
         row.revoked ? printable(row.revoked_for) : "-", to_hex(row.serial), day(row.not_before),
         day(row.not_after), row.file.empty() ? "-" : printable(row.file));
  }

 private:
  static std::string day(TimePoint time) { return to_rfc3339(time).substr(0, 10); }

  void line(std::string_view id, std::string_view state, std::string_view revoked,
            std::string_view serial, std::string_view not_before, std::string_view not_after,
            std::string_view file) {
    out() << fmt::format("{:<20} {:<10} {:<20} {:<32} {:<10} {:<10} {}\n", id, state, revoked,
                         serial, not_before, not_after, file);
  }
};

/// RFC 4180; the columns of a batch's devices.csv are among these.
class Csv final : public Listing {
 public:
  using Listing::Listing;

  void begin() override {
    out() << "id,state,revoked_at,revoked_for,serial,certificate_sha256,public_key_sha256,"
             "not_before,not_after,file,reason\n";
  }

  void row(const DeviceRow& row) override {
    out() << fmt::format("{},{},{},{},{},{},{},{},{},{},{}\n", field(row.device_id),
                         ledger::name(row.state), revoked_at(row), field(row.revoked_for),
                         to_hex(row.serial), to_hex(row.certificate_sha256),
                         to_hex(row.public_key_sha256), to_rfc3339(row.not_before),
                         to_rfc3339(row.not_after), field(row.file), field(row.reason));
  }

 private:
  static std::string field(const std::string& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
    std::string quoted_field = "\"";
    for (const char c : text) {
      if (c == '"') quoted_field += c;
      quoted_field += c;
    }
    return quoted_field + '"';
  }
};

/// One document, a line for each certificate.
class JsonList final : public Listing {
 public:
  using Listing::Listing;

  void begin() override { out() << R"({"version":1,"certificates":[)"; }

  void row(const DeviceRow& row) override {
    nlohmann::ordered_json record = {{"id", row.device_id},
                                     {"state", ledger::name(row.state)},
                                     {"revoked", nullptr},
                                     {"serial", to_hex(row.serial)},
                                     {"subject", row.subject},
                                     {"certificate_sha256", to_hex(row.certificate_sha256)},
                                     {"public_key_sha256", to_hex(row.public_key_sha256)},
                                     {"not_before", to_rfc3339(row.not_before)},
                                     {"not_after", to_rfc3339(row.not_after)},
                                     {"key", row.key_kind},
                                     {"issued_at", to_rfc3339(row.issued_at)},
                                     {"state_at", to_rfc3339(row.state_at)},
                                     {"file", text_or_null(row.file)},
                                     {"reason", text_or_null(row.reason)}};
    if (row.revoked) record["revoked"] = {{"at", revoked_at(row)}, {"reason", row.revoked_for}};
    // Not every file name is UTF-8; replacing what is not keeps the document readable.
    out() << (first_ ? "\n" : ",\n")
          << record.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
    first_ = false;
  }

  void end() override { out() << "\n]}\n"; }

 private:
  static nlohmann::ordered_json text_or_null(const std::string& text) {
    return text.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(text);
  }

  bool first_ = true;
};

Result<std::unique_ptr<Listing>> make_listing(const std::string& format, std::ostream& out) {
  if (format == "table") return std::unique_ptr<Listing>(std::make_unique<Table>(out));
  if (format == "csv") return std::unique_ptr<Listing>(std::make_unique<Csv>(out));
  if (format == "json") return std::unique_ptr<Listing>(std::make_unique<JsonList>(out));
  return fail(Code::invalid_input,
              fmt::format("--format {} is no format; known are table, csv, json", quoted(format)));
}

Result<> list(const ListOptions& options, std::ostream& out) {
  const auto state = IMPRINT_TRY(parse_state(options.state));
  const auto listing = IMPRINT_TRY(make_listing(options.format, out));
  const auto ledger = IMPRINT_TRY(ledger::Ledger::open_read_only(options.file));
  listing->begin();
  const auto visit = [&](const DeviceRow& row) {
    if (state && row.state != *state) return;
    if (options.revoked && !row.revoked) return;
    listing->row(row);
  };
  IMPRINT_TRY(options.id.empty() ? ledger.for_each(visit) : ledger.for_each_of(options.id, visit));
  listing->end();
  out.flush();
  if (!out) return fail(Code::io, "writing to standard output");
  return {};
}

Exit run_list(const ListOptions& options, Console& console) {
  const auto listed = list(options, console.out());
  return listed ? Exit::done : console.fail(listed.error());
}

}  // namespace

Action add_ledger(CLI::App& program) {
  CLI::App* command = program.add_subcommand("ledger", "What was issued, and what became of it");
  command->footer(std::string(help::kLedger));
  command->require_subcommand(1);
  auto options = std::make_shared<ListOptions>();
  CLI::App* listing = command->add_subcommand(
      "list", "List certificates; safe at any time, also while a batch writes");
  listing->footer(std::string(help::kLedger));
  listing->add_option("FILE", options->file, "The ledger")->capture_default_str();
  listing->add_option("--state", options->state,
                      "Only those that are issued, placed, failed, superseded or lost");
  listing->add_flag("--revoked", options->revoked, "Only those that are revoked");
  listing->add_option("--id", options->id, "Only those of this device");
  listing->add_option("--format", options->format, "table, csv or json")->capture_default_str();
  return [options](Console& console) { return run_list(*options, console); };
}

}  // namespace imprint::cli
