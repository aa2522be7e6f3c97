// What servers answered when they were told of devices.

#include <algorithm>
#include <array>
#include <chrono>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>

#include "connection.hpp"
#include "imprint/base/text.hpp"
#include "imprint/ledger/ledger.hpp"
#include "ledger_impl.hpp"
#include "queries.hpp"
#include "use.hpp"

namespace imprint::ledger {

namespace {

constexpr std::array kStates = {PreauthorizationState::accepted, PreauthorizationState::known,
                                PreauthorizationState::conflict, PreauthorizationState::rejected};

constexpr const char* kInsert =
    "INSERT INTO preauthorizations (certificate, server, number, state, device_id, reason, at)"
    " VALUES (?1, ?2, (SELECT coalesce(max(number), 0) + 1 FROM preauthorizations"
    " WHERE certificate = ?1 AND server = ?2), ?3, ?4, ?5, ?6)";
constexpr const char* kSelectLatest =
    "SELECT state, device_id, reason, at FROM preauthorizations"
    " WHERE certificate = ?1 AND server = ?2 ORDER BY number DESC LIMIT 1";
/// A condition on `c`: that the server ?1 does not have it yet.
constexpr const char* kNotThereYet =
    "coalesce((SELECT p.state FROM preauthorizations AS p WHERE p.certificate = c.id"
    " AND p.server = ?1 ORDER BY p.number DESC LIMIT 1), '') NOT IN ('accepted', 'known')";

Result<PreauthorizationState> state_of(std::string_view word, std::int64_t certificate_row) {
  const auto* const known =
      std::find_if(kStates.begin(), kStates.end(),
                   [word](PreauthorizationState state) { return name(state) == word; });
  if (known != kStates.end()) return *known;
  return fail(Code::corrupt, fmt::format("certificate {} of the ledger has the unknown answer {}",
                                         certificate_row, quoted(word)));
}

}  // namespace

std::string_view name(PreauthorizationState state) noexcept {
  switch (state) {
    case PreauthorizationState::accepted:
      return "accepted";
    case PreauthorizationState::known:
      return "known";
    case PreauthorizationState::conflict:
      return "conflict";
    case PreauthorizationState::rejected:
      return "rejected";
  }
  return "rejected";
}

Result<> Ledger::record_preauthorized(std::span<const Preauthorization> answers) {
  const std::lock_guard lock(impl_->mutex);
  return guarded("recording answers of a server in", impl_->path, [&]() -> Result<> {
    SQLite::Transaction transaction(impl_->database, SQLite::TransactionBehavior::IMMEDIATE);
    SQLite::Statement statement(impl_->database, kInsert);
    for (const Preauthorization& answer : answers) {
      if (answer.server.empty()) {
        return fail(Code::internal, "an answer without a server cannot be recorded");
      }
      const std::string server(answer.server);
      const std::string state(name(answer.state));
      const std::string device_id(answer.device_id);
      const std::string reason(answer.reason);
      Use use(statement);
      use.bind(1, answer.certificate_row);
      use.bind(2, server);
      use.bind(3, state);
      use.bind_or_null(4, device_id);
      use.bind_or_null(5, reason);
      use.bind(6, answer.at);
      use.run();
    }
    transaction.commit();
    return {};
  });
}

Result<std::optional<PreauthorizationRow>> Ledger::find_preauthorization(
    std::int64_t certificate_row, std::string_view server) const {
  using Found = std::optional<PreauthorizationRow>;
  const std::lock_guard lock(impl_->mutex);
  return guarded("reading", impl_->path, [&]() -> Result<Found> {
    if (!impl_->database.tableExists("preauthorizations")) return Found();
    const std::string url(server);
    SQLite::Statement statement(impl_->database, kSelectLatest);
    Use use(statement);
    use.bind(1, certificate_row);
    use.bind(2, url);
    if (!statement.executeStep()) return Found();
    PreauthorizationRow row;
    row.state = IMPRINT_TRY(state_of(statement.getColumn(0).getText(), certificate_row));
    row.device_id = statement.getColumn(1).getString();
    row.reason = statement.getColumn(2).getString();
    row.at = TimePoint(std::chrono::seconds(statement.getColumn(3).getInt64()));
    return Found(std::move(row));
  });
}

Result<> Ledger::for_each_to_preauthorize(std::string_view server, const Visitor& visit) const {
  return guarded("reading", impl_->path, [&]() -> Result<> {
    SQLite::Database snapshot = IMPRINT_TRY(connect(impl_->path, Access::read_only));
    // Before format 3 no server was asked.
    const bool knows_answers = snapshot.tableExists("preauthorizations");
    const bool knows_revocations = snapshot.tableExists("revocations");
    SQLite::Statement statement(
        snapshot,
        select_rows(snapshot,
                    fmt::format("WHERE {} AND o.state = 'placed'{}{} ORDER BY c.id", kLatest,
                                knows_revocations ? " AND v.certificate IS NULL" : "",
                                knows_answers ? fmt::format(" AND {}", kNotThereYet) : "")));
    const std::string url(server);
    Use use(statement);
    if (knows_answers) use.bind(1, url);
    DeviceRow row;
    while (statement.executeStep()) {
      IMPRINT_TRY(read_row(statement, row));
      if (row.purpose == Purpose::device) visit(row);
    }
    return {};
  });
}

}  // namespace imprint::ledger
