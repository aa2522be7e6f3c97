#include "ledger_listing.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "imprint/base/text.hpp"

namespace imprint::cli {

namespace {

using ledger::DeviceRow;

/// A field of RFC 4180, in quotes where it must be.
std::string csv_field(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string field = "\"";
  for (const char c : text) {
    if (c == '"') field += c;
    field += c;
  }
  return field + '"';
}

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
    out() << fmt::format("{},{},{},{},{},{},{},{},{},{},{}\n", csv_field(row.device_id),
                         ledger::name(row.state), revoked_at(row), csv_field(row.revoked_for),
                         to_hex(row.serial), to_hex(row.certificate_sha256),
                         to_hex(row.public_key_sha256), to_rfc3339(row.not_before),
                         to_rfc3339(row.not_after), csv_field(row.file), csv_field(row.reason));
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
                                     {"purpose", ledger::name(row.purpose)},
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

}  // namespace

Result<std::unique_ptr<Listing>> make_listing(const std::string& format, std::ostream& out) {
  if (format == "table") return std::unique_ptr<Listing>(std::make_unique<Table>(out));
  if (format == "csv") return std::unique_ptr<Listing>(std::make_unique<Csv>(out));
  if (format == "json") return std::unique_ptr<Listing>(std::make_unique<JsonList>(out));
  return fail(Code::invalid_input,
              fmt::format("--format {} is no format; known are table, csv, json", quoted(format)));
}

}  // namespace imprint::cli
