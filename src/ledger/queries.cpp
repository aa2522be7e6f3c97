#include "queries.hpp"

#include <algorithm>
#include <array>
#include <chrono>

#include <fmt/format.h>

#include "connection.hpp"
#include "imprint/base/text.hpp"

namespace imprint::ledger {
namespace {

constexpr std::array kStates = {State::issued, State::placed, State::failed, State::superseded,
                                State::lost};
constexpr std::array kPurposes = {Purpose::device, Purpose::server, Purpose::authority};

/// In the order of select_rows.
enum Column : int {
  id,
  run,
  device_id,
  subject,
  serial,
  certificate_sha256,
  public_key_sha256,
  not_before,
  not_after,
  key_kind,
  issued_at,
  state,
  at,
  file,
  digest,
  reason,
  revoked_at,
  revoked_for,
  authority_key_sha256,
  certificate,
  public_key,
  identity_data,
  purpose
};

/// The blob is SQLite's until the next step.
ByteView blob(SQLite::Statement& statement, Column column) {
  const SQLite::Column value = statement.getColumn(column);
  return std::as_bytes(
      std::span(static_cast<const char*>(value.getBlob()), static_cast<std::size_t>(value.size())));
}

void read_text(SQLite::Statement& statement, Column column, std::string& into) {
  const SQLite::Column value = statement.getColumn(column);
  const char* text =
      value.getText();  // before size(), which is that of the representation asked for last
  into.assign(text, static_cast<std::size_t>(value.size()));
}

void read_bytes(SQLite::Statement& statement, Column column, Bytes& into) {
  const ByteView bytes = blob(statement, column);
  into.assign(bytes.begin(), bytes.end());
}

TimePoint time_at(SQLite::Statement& statement, Column column) {
  return TimePoint(std::chrono::seconds(statement.getColumn(column).getInt64()));
}

Unexpected corrupt(std::int64_t row, std::string_view what) {
  return fail(Code::corrupt, fmt::format("certificate {} of the ledger has {}", row, what));
}

Result<> read_digest(SQLite::Statement& statement, Column column, std::int64_t row, Sha256& into) {
  const ByteView bytes = blob(statement, column);
  if (bytes.size() != into.size()) return corrupt(row, "a digest that is not SHA-256");
  std::copy(bytes.begin(), bytes.end(), into.begin());
  return {};
}

Result<> read_purpose(SQLite::Statement& statement, DeviceRow& row) {
  const std::string_view word = statement.getColumn(Column::purpose).getText();
  const auto* const known = std::find_if(kPurposes.begin(), kPurposes.end(),
                                         [word](Purpose purpose) { return name(purpose) == word; });
  if (known == kPurposes.end()) {
    return corrupt(row.certificate_row, "the unknown purpose " + quoted(word));
  }
  row.purpose = *known;
  return {};
}

}  // namespace

std::string_view name(Purpose purpose) noexcept {
  switch (purpose) {
    case Purpose::device:
      return "device";
    case Purpose::server:
      return "server";
    case Purpose::authority:
      return "authority";
  }
  return "device";
}

std::string_view name(State state) noexcept {
  switch (state) {
    case State::issued:
      return "issued";
    case State::placed:
      return "placed";
    case State::failed:
      return "failed";
    case State::superseded:
      return "superseded";
    case State::lost:
      return "lost";
  }
  return "issued";
}

std::string select_rows(SQLite::Database& database, std::string_view rest) {
  // A ledger that was opened for reading may still have format 1 or 2.
  const bool knows_revocations = database.tableExists("revocations");
  const bool knows_public_keys = database.tableExists("preauthorizations");
  return fmt::format(
      "SELECT c.id, c.run, c.device_id, c.subject, c.serial, c.certificate_sha256,"
      " c.public_key_sha256, c.not_before, c.not_after, c.key_kind, c.issued_at,"
      " coalesce(o.state, 'issued'), coalesce(o.at, c.issued_at), o.file, o.digest, o.reason, {}, "
      "{}"
      " FROM certificates AS c LEFT JOIN outcomes AS o ON o.certificate = c.id"
      " AND o.number = (SELECT max(number) FROM outcomes WHERE certificate = c.id) {} {}",
      knows_revocations ? "v.revoked_at, v.reason, r.authority_key_sha256" : "NULL, NULL, NULL",
      knows_public_keys
          ? "c.certificate, c.public_key, c.identity_data, coalesce(c.purpose, 'device')"
          : "NULL, NULL, NULL, CASE (SELECT command FROM runs WHERE id = c.run)"
            " WHEN 'ca issue-server' THEN 'server' WHEN 'ca init' THEN 'authority'"
            " ELSE 'device' END",
      knows_revocations ? "LEFT JOIN revocations AS v ON v.certificate = c.id"
                          " LEFT JOIN runs AS r ON r.id = c.run"
                        : "",
      rest);
}

Result<> read_row(SQLite::Statement& statement, DeviceRow& row) {
  row.certificate_row = statement.getColumn(Column::id).getInt64();
  row.run = statement.getColumn(Column::run).getInt64();
  read_text(statement, Column::device_id, row.device_id);
  read_text(statement, Column::subject, row.subject);
  read_bytes(statement, Column::serial, row.serial);
  IMPRINT_TRY(read_digest(statement, Column::certificate_sha256, row.certificate_row,
                          row.certificate_sha256));
  IMPRINT_TRY(read_digest(statement, Column::public_key_sha256, row.certificate_row,
                          row.public_key_sha256));
  row.not_before = time_at(statement, Column::not_before);
  row.not_after = time_at(statement, Column::not_after);
  read_text(statement, Column::key_kind, row.key_kind);
  row.issued_at = time_at(statement, Column::issued_at);

  const std::string_view word = statement.getColumn(Column::state).getText();
  const auto* const known = std::find_if(kStates.begin(), kStates.end(),
                                         [word](State state) { return name(state) == word; });
  if (known == kStates.end()) {
    return corrupt(row.certificate_row, "the unknown state " + quoted(word));
  }
  row.state = *known;
  row.state_at = time_at(statement, Column::at);
  read_text(statement, Column::file, row.file);
  read_bytes(statement, Column::digest, row.digest);
  read_text(statement, Column::reason, row.reason);
  row.revoked = !statement.getColumn(Column::revoked_at).isNull();
  row.revoked_at = time_at(statement, Column::revoked_at);
  read_text(statement, Column::revoked_for, row.revoked_for);
  read_bytes(statement, Column::authority_key_sha256, row.authority_key_sha256);
  read_bytes(statement, Column::certificate, row.certificate);
  read_bytes(statement, Column::public_key, row.public_key);
  read_text(statement, Column::identity_data, row.identity_data);
  return read_purpose(statement, row);
}

Result<std::optional<DeviceRow>> first_row(SQLite::Statement& statement) {
  if (!statement.executeStep()) return std::optional<DeviceRow>();
  DeviceRow row;
  IMPRINT_TRY(read_row(statement, row));
  return std::optional<DeviceRow>(std::move(row));
}

}  // namespace imprint::ledger
