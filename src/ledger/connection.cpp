// How the file is opened, and why so.
//
// - Write-ahead log with synchronous FULL: a commit is one fsync and survives a power cut, and
// readers (a line
//   controller, `imprint ledger list`) never wait for the writer nor it for them.
// - A checkpoint each 32 MiB of log, not each 4 MiB: the longer the log, the more changes of one
// page go back together.
// - The page cache is bounded, so memory does not grow with the ledger.

#include "connection.hpp"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>
#include <sqlite3.h>

#include "imprint/base/file.hpp"
#include "imprint/base/text.hpp"
#include "schema.hpp"

namespace imprint::ledger {
namespace {

/// Marks an SQLite file as a ledger ("imPL"), for us and for file(1).
constexpr int kApplicationId = 0x696d504c;
/// PRAGMA user_version of a complete file. Entry N of kMigrations leads from format N to N + 1.
constexpr const char* kMigrations[] = {kSchema, kFormat2, kFormat3};
constexpr int kFormat = static_cast<int>(std::size(kMigrations));

constexpr int kBusyTimeoutMs = 10'000;
constexpr unsigned kFileMode = 0600;

enum class FileState { missing, present };

/// As the effective user, unlike access(2). Sets errno.
bool permits(const fs::path& path, int wanted) {
  return ::faccessat(AT_FDCWD, path.c_str(), wanted, AT_EACCESS) == 0;
}

/// Asks without opening: closing any descriptor of the file would drop the locks that SQLite holds
/// on it in this process.
Result<FileState> look_at(const fs::path& path, Access access) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) return FileState::missing;
  const std::string opening = "opening the ledger " + quoted(path.native());
  if (error) return fail(system_error(opening, error.value()));
  if (status.type() != fs::file_type::regular) {
    return fail(Code::invalid_input, quoted(path.native()) + " is not a regular file, no ledger");
  }
  const int wanted = access == Access::read_write ? R_OK | W_OK : R_OK;
  if (!permits(path, wanted)) return fail(system_error(opening));
  return FileState::present;
}

/// `file:` URI that tells SQLite that nobody writes.
std::string immutable_uri(const fs::path& absolute) {
  std::string uri = "file:";
  for (const char c : absolute.native()) {
    if (c == '%' || c == '?' || c == '#') {
      uri += fmt::format("%{:02x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    } else {
      uri += c;
    }
  }
  return uri + "?immutable=1";
}

/// A write-ahead log needs a directory that can be written, even for reading. On read-only media
/// there is neither a log nor a writer, and the file can be read as it is.
bool is_on_read_only_media(const fs::path& path) {
  const fs::path directory = path.has_parent_path() ? path.parent_path() : fs::path(".");
  if (permits(directory, W_OK)) return false;
  std::error_code error;
  return !fs::exists(fs::path(path.native() + "-wal"), error);
}

int integer_of(SQLite::Database& database, const char* query) {
  return database.execAndGet(query).getInt();
}

/// A process that died while it switched the log on or off has left a rollback journal. SQLite lets
/// only those play it back who may write.
void play_back_journal(SQLite::Database& reader, const fs::path& absolute) {
  constexpr const char* kAnyQuery = "SELECT count(*) FROM sqlite_schema";
  try {
    integer_of(reader, kAnyQuery);
  } catch (const SQLite::Exception& exception) {
    if (exception.getExtendedErrorCode() != SQLITE_READONLY_ROLLBACK) throw;
    SQLite::Database writer(absolute.native(), SQLite::OPEN_NOMUTEX | SQLite::OPEN_READWRITE,
                            kBusyTimeoutMs);
    integer_of(writer, kAnyQuery);
  }
}

SQLite::Database open_database(const fs::path& path, Access access) {
  // Absolute, because SQLite takes a relative name that starts with "file:" for a URI.
  const fs::path absolute = fs::absolute(path);
  // Our own mutex guards the connection.
  const int flags = SQLite::OPEN_NOMUTEX;
  if (access == Access::read_write) {
    return {absolute.native(), flags | SQLite::OPEN_READWRITE, kBusyTimeoutMs};
  }
  if (is_on_read_only_media(path)) {
    return {immutable_uri(absolute), flags | SQLite::OPEN_READONLY | SQLite::OPEN_URI,
            kBusyTimeoutMs};
  }
  SQLite::Database reader(absolute.native(), flags | SQLite::OPEN_READONLY, kBusyTimeoutMs);
  play_back_journal(reader, absolute);
  return reader;
}

/// Format of the file: 0 for one that has nothing in it yet.
Result<int> format_of(SQLite::Database& database, const fs::path& path) {
  const int application = integer_of(database, "PRAGMA application_id");
  const int format = integer_of(database, "PRAGMA user_version");
  const bool empty = integer_of(database, "SELECT count(*) FROM sqlite_schema") == 0;
  if (empty && application == 0 && format == 0) return 0;
  if (application != kApplicationId) {
    return fail(Code::invalid_input,
                quoted(path.native()) + " is a database of another program, no ledger");
  }
  if (format > kFormat) {
    return fail(Code::unsupported,
                fmt::format("the ledger {} has format {}; this version knows formats up to {}: use "
                            "the version that wrote it, or a newer one",
                            quoted(path.native()), format, kFormat));
  }
  return format;
}

/// Leads the file to the present format in one transaction. Asks for the format again inside, where
/// no other process can be doing the same.
Result<> migrate(SQLite::Database& database, const fs::path& path) {
  SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
  for (int format = IMPRINT_TRY(format_of(database, path)); format < kFormat; ++format) {
    database.exec(kMigrations[format]);
  }
  database.exec(fmt::format("PRAGMA application_id = {}", kApplicationId));
  database.exec(fmt::format("PRAGMA user_version = {}", kFormat));
  transaction.commit();
  return {};
}

void set_up(SQLite::Database& database) {
  database.exec("PRAGMA trusted_schema = OFF");
  database.exec("PRAGMA cache_size = -4096");  // KiB
}

void set_up_for_writing(SQLite::Database& database) {
  database.exec("PRAGMA cache_size = -32768");  // KiB; most of it holds fingerprints
  // A file system that cannot share memory (some network ones) answers with another mode, which is
  // as safe, only slower.
  database.execAndGet("PRAGMA journal_mode = WAL");
  database.exec("PRAGMA synchronous = FULL");
  database.exec("PRAGMA foreign_keys = ON");
  database.exec("PRAGMA wal_autocheckpoint = 8000");  // pages of 4 KiB
  database.exec(
      "PRAGMA journal_size_limit = 67108864");  // bytes a log may keep after a long reader
}

Code code_of(int sqlite_code) noexcept {
  switch (sqlite_code) {
    case SQLITE_FULL:
      return Code::no_space;
    case SQLITE_BUSY:
      return Code::busy;
    default:
      return Code::database;
  }
}

}  // namespace

Error sqlite_error(std::string_view doing, const fs::path& path,
                   const SQLite::Exception& exception) {
  const int extended = exception.getExtendedErrorCode();
  const int code = extended > 0 ? extended : exception.getErrorCode();
  Error error(code_of(code & 0xff), fmt::format("{} (SQLite error {})", exception.what(), code));
  return std::move(error).context(fmt::format("{} the ledger {}", doing, quoted(path.native())));
}

Result<SQLite::Database> connect(const fs::path& path, Access access) {
  const FileState file = IMPRINT_TRY(look_at(path, access));
  if (file == FileState::missing) {
    if (access == Access::read_only) {
      return fail(Code::not_found, "there is no ledger " + quoted(path.native()));
    }
    // SQLite gives the log and its index the mode of the file.
    const auto created = File::create_new(path, kFileMode);
    if (!created && created.error().code != Code::exists) return fail(created.error());
  }
  try {
    SQLite::Database database = open_database(path, access);
    set_up(database);
    const int format = IMPRINT_TRY(format_of(database, path));
    if (access == Access::read_only && format == 0) {
      // Not a mistake: a run may have died between making the file and its tables.
      return fail(Code::not_found, quoted(path.native()) + " is empty, no ledger");
    }
    if (access == Access::read_write) {
      set_up_for_writing(database);
      if (format < kFormat) IMPRINT_TRY(migrate(database, path));
    }
    return database;
  } catch (const SQLite::Exception& exception) {
    if (exception.getErrorCode() == SQLITE_NOTADB) {
      return fail(Code::invalid_input, quoted(path.native()) + " is no SQLite file, no ledger");
    }
    return fail(sqlite_error("opening", path, exception));
  }
}

}  // namespace imprint::ledger
