#include "sqlite_error.hpp"

#include <SQLiteCpp/Exception.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include "imprint/base/text.hpp"

namespace imprint::golden {
namespace {

Code code_of(int sqlite_code) {
  switch (sqlite_code & 0xff) {
    case SQLITE_FULL:
      return Code::no_space;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Code::busy;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return Code::io;
    case SQLITE_CORRUPT:
      return Code::corrupt;
    case SQLITE_NOTADB:
      return Code::invalid_input;
    default:
      return Code::database;
  }
}

}  // namespace

Error sqlite_error(const std::exception& exception, const fs::path& path) {
  const std::string store = "overlay store " + quoted(path.string());
  const auto* sqlite = dynamic_cast<const SQLite::Exception*>(&exception);
  if (sqlite == nullptr) return {Code::internal, store + ": " + exception.what()};
  const int extended = sqlite->getExtendedErrorCode();
  if (extended == SQLITE_NOTADB) {
    return {Code::invalid_input, quoted(path.string()) + " is not an overlay store"};
  }
  return {code_of(sqlite->getErrorCode()),
          fmt::format("{}: {} (SQLite {})", store, sqlite->what(), extended)};
}

}  // namespace imprint::golden
