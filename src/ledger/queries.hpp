#pragma once

#include <functional>
#include <optional>
#include <string>

#include <SQLiteCpp/SQLiteCpp.h>

#include "imprint/ledger/ledger.hpp"

namespace imprint::ledger {

/// A SELECT of whole DeviceRows: the columns that read_row expects, then `rest` (WHERE, ORDER BY,
/// ...). The certificate is `c`, its latest outcome `o`.
[[nodiscard]] std::string select_rows(SQLite::Database& database, std::string_view rest);

/// A condition on `c`: that it is the latest certificate of its device.
inline constexpr const char* kLatest =
    "NOT EXISTS (SELECT 1 FROM certificates AS n WHERE n.device_id = c.device_id AND n.id > c.id)";

/// Reads the statement's present row into `row`, reusing its memory. Code::corrupt when the file
/// holds what no ledger holds.
Result<> read_row(SQLite::Statement& statement, DeviceRow& row);

/// The first row of a statement whose parameters are bound, or none.
Result<std::optional<DeviceRow>> first_row(SQLite::Statement& statement);

}  // namespace imprint::ledger
