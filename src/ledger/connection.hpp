#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include <SQLiteCpp/SQLiteCpp.h>

#include "imprint/base/result.hpp"

namespace imprint::ledger {

enum class Access { read_only, read_write };

/// Opens a ledger file and makes sure that it is one, of a format that this version knows; for
/// writing, makes or completes it.
Result<SQLite::Database> connect(const std::filesystem::path& path, Access access);

/// `doing 'path': reason (SQLite error 2067)`, with the Code that fits.
[[nodiscard]] Error sqlite_error(std::string_view doing, const std::filesystem::path& path,
                                 const SQLite::Exception& exception);

/// Runs `work`, which gives a Result, and turns what SQLiteCpp throws into an Error: no exception
/// passes this door.
template <class Work>
auto guarded(std::string_view doing, const std::filesystem::path& path, Work&& work)
    -> decltype(work()) {
  try {
    return work();
  } catch (const SQLite::Exception& exception) {
    return fail(sqlite_error(doing, path, exception));
  }
}

}  // namespace imprint::ledger
