// Two walks: the first only finds out whether every device can be exported, so that nothing is
// written when one cannot. Neither holds more than one device in memory.

#include "imprint/pipeline/export.hpp"

#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

#include "export_format.hpp"
#include "imprint/base/text.hpp"

namespace imprint::pipeline {

namespace {

using ledger::DeviceRow;
using manifest::IdentityDatum;
using Sink = std::function<Result<>(std::string_view)>;

struct FormatName {
  std::string_view word;
  ExportFormat format;
  std::string_view opening;  ///< what every export of this format begins with, unless it is empty
};

constexpr std::array<FormatName, 5> kFormats = {
    {{"preauthorize", ExportFormat::preauthorize, R"({"identity_data":)"},
     {"csv", ExportFormat::csv, "id,state,state_at,serial,"},
     {"json", ExportFormat::json, R"({"version":1,"devices":[)"},
     {"aws", ExportFormat::aws, R"({"ThingName":)"},
     {"azure-dps", ExportFormat::azure_dps, R"({"mode":"create","enrollments":[)"}}};
constexpr std::array<std::string_view, 4> kVariables = {"id", "serial_hex", "certificate_sha256",
                                                        "public_key_sha256"};

/// Replaced is an earlier export, and nothing else: a slip of the hand must not cost a ledger or a
/// key.
Result<> check_replaced(const fs::path& output, ExportFormat format) {
  std::error_code ignored;
  if (!fs::exists(fs::symlink_status(output, ignored))) return {};
  const File file = IMPRINT_TRY(File::open_read(output));
  const std::string_view opening =
      std::ranges::find(kFormats, format, &FormatName::format)->opening;
  const std::uint64_t size = IMPRINT_TRY(file.size_bytes());
  Bytes begin(static_cast<std::size_t>(std::min<std::uint64_t>(size, opening.size())));
  IMPRINT_TRY(file.read_exact(0, begin));
  if (begin.empty() || text_of(begin) == opening) return {};
  return fail(Code::exists,
              fmt::format("{} exists and is no export of this format; it is not overwritten: move "
                          "it away, or choose another name",
                          quoted(output.string())));
}

/// One walk: what comes of each device, and the first error with the number of the others.
class Walk {
 public:
  Walk(const ExportRequest& request, const Sink& sink)
      : request_(request),
        sink_(sink),
        writer_(make_export_writer(request.format, request.identity_data)) {}

  void begin() { writer_->begin(text_); }

  [[nodiscard]] bool wants(const DeviceRow& row) const {
    return row.state == request_.state && !row.revoked && row.purpose == ledger::Purpose::device;
  }

  void take(const DeviceRow& row) {
    if (broken_) return;
    Result<> written = writer_->device(row, text_);
    if (written) {
      ++report_.exported;
      flush();
      return;
    }
    Error error = std::move(written).error().context("device " + quoted(row.device_id));
    if (error.code == Code::not_found && request_.skip_incomplete) {
      if (report_.skipped++ == 0) report_.first_skipped = error.message();
    } else if (first_) {
      ++others_;
    } else {
      first_ = std::move(error);
    }
  }

  Result<ExportReport> end() {
    writer_->end(text_);
    flush();
    if (broken_) return fail(*std::move(broken_));
    if (!first_) return std::move(report_);
    if (others_ > 0) {
      first_->what += fmt::format(" (and {} more device{})", others_, others_ == 1 ? "" : "s");
    }
    // Of a device, not of a file: nobody has to look for one.
    if (first_->code == Code::not_found) first_->code = Code::invalid_input;
    return fail(*std::move(first_));
  }

 private:
  void flush() {
    if (text_.empty()) return;
    if (Result<> passed = sink_(text_); !passed) broken_ = std::move(passed).error();
    text_.clear();
  }

  const ExportRequest& request_;
  const Sink& sink_;
  std::unique_ptr<ExportWriter> writer_;
  std::string text_;
  ExportReport report_;
  std::optional<Error> first_;
  std::size_t others_ = 0;
  std::optional<Error> broken_;  ///< the sink's
};

/// Why a device that was asked for cannot be exported, whatever the format.
Result<> check_wanted(const ExportRequest& request, const std::string& id,
                      const std::optional<DeviceRow>& row) {
  const auto refuse = [&](std::string_view why) {
    return fail(Code::invalid_input, fmt::format("--id {}: {}", quoted(id), why));
  };
  if (!row)
    return refuse("there is no such device in the ledger " + quoted(request.ledger.native()));
  if (row->purpose != ledger::Purpose::device) {
    return refuse(fmt::format("it is no device: the certificate is that of {}",
                              row->purpose == ledger::Purpose::server ? "a server" : "a CA"));
  }
  if (row->revoked) {
    return refuse(fmt::format("its certificate is revoked ({}): give it a new identity first",
                              row->revoked_for));
  }
  if (row->state != request.state) {
    return refuse(fmt::format("its latest certificate is {}, and --state asks for {}",
                              quoted(ledger::name(row->state)),
                              quoted(ledger::name(request.state))));
  }
  return {};
}

Result<ExportReport> walk(const ExportRequest& request, const ledger::Ledger& ledger,
                          const Sink& sink) {
  Walk one(request, sink);
  one.begin();
  if (request.ids.empty()) {
    IMPRINT_TRY(ledger.for_each_latest([&one](const DeviceRow& row) {
      if (one.wants(row)) one.take(row);
    }));
  }
  std::set<std::string_view> seen;
  for (const std::string& id : request.ids) {
    if (!seen.insert(id).second) continue;
    const auto row = IMPRINT_TRY(ledger.find_device(id));
    IMPRINT_TRY(check_wanted(request, id, row));
    one.take(*row);
  }
  return one.end();
}

Result<> check(const ExportRequest& request) {
  const bool has_no_place =
      request.format == ExportFormat::aws || request.format == ExportFormat::azure_dps;
  if (!has_no_place || request.identity_data.empty()) return {};
  return fail(Code::invalid_input,
              "--identity-data is what a Mender client reports: it has no place in this --format");
}

}  // namespace

Result<ExportFormat> parse_export_format(std::string_view word) {
  std::array<std::string_view, kFormats.size()> known;
  for (std::size_t i = 0; i < kFormats.size(); ++i) {
    known[i] = kFormats[i].word;
    if (known[i] == word) return kFormats[i].format;
  }
  const auto meant = nearest(word, known);
  return fail(Code::invalid_input,
              fmt::format("{} is no format; {}", quoted(word),
                          meant ? "did you mean " + quoted(*meant) + "?"
                                : fmt::format("known are {}", fmt::join(known, ", "))));
}

Result<std::vector<manifest::IdentityDatum>> parse_identity_data(
    const std::vector<std::string>& texts) {
  std::vector<IdentityDatum> data;
  for (const std::string& text : texts) {
    const std::string what = "--identity-data " + quoted(text);
    const std::size_t equals = text.find('=');
    if (equals == 0 || equals == std::string::npos || equals + 1 == text.size()) {
      return fail(Code::invalid_input, what + ": write NAME=TEMPLATE, such as 'sn={id}'");
    }
    const std::string name = text.substr(0, equals);
    const auto same = [&name](const IdentityDatum& other) { return other.name == name; };
    if (std::any_of(data.begin(), data.end(), same)) {
      return fail(Code::invalid_input, fmt::format("{}: {} is given twice", what, quoted(name)));
    }
    auto value = IMPRINT_TRY(manifest::Template::parse(text.substr(equals + 1)).context(what));
    for (const std::string_view variable : value.variables()) {
      if (std::find(kVariables.begin(), kVariables.end(), variable) != kVariables.end()) continue;
      return fail(Code::invalid_input,
                  fmt::format("{}: there is no variable {}; the ledger knows {}", what,
                              quoted(variable), fmt::join(kVariables, ", ")));
    }
    data.push_back({name, std::move(value)});
  }
  return data;
}

Result<ExportReport> export_devices(const ExportRequest& request, const Sink& sink) {
  IMPRINT_TRY(check(request));
  const auto ledger = IMPRINT_TRY(ledger::Ledger::open_read_only(request.ledger));
  const Sink nowhere = [](std::string_view) { return Result<>(); };
  IMPRINT_TRY(walk(request, ledger, nowhere));
  return walk(request, ledger, sink);
}

Result<ExportReport> export_devices(const ExportRequest& request, const fs::path& output) {
  constexpr unsigned kMode = 0644;
  constexpr std::size_t kFlushBytes = std::size_t{1} << 20;
  IMPRINT_TRY(check(request));
  IMPRINT_TRY(check_replaced(output, request.format));
  const auto ledger = IMPRINT_TRY(ledger::Ledger::open_read_only(request.ledger));
  NewFile file = IMPRINT_TRY(NewFile::beside(output, kMode));
  std::string buffer;
  std::uint64_t written = 0;
  const auto flush = [&]() -> Result<> {
    IMPRINT_TRY(file.file().write_all(written, bytes_of(buffer)));
    written += buffer.size();
    buffer.clear();
    return {};
  };
  auto report = IMPRINT_TRY(walk(request, ledger, [&](std::string_view text) -> Result<> {
    buffer += text;
    return buffer.size() < kFlushBytes ? Result<>() : flush();
  }));
  IMPRINT_TRY(flush());
  IMPRINT_TRY(file.publish());
  IMPRINT_TRY(sync_directory(output.has_parent_path() ? output.parent_path() : fs::path(".")));
  return report;
}

}  // namespace imprint::pipeline
