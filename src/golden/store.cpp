// The overlay store: a batch of 100,000 devices in one file of 240 MB instead of 100,000 images.
//
// While a batch writes, the store has a write-ahead log: one sync for a group of devices, where a
// rollback journal needs four (journal, directory, store, directory), and the disk's latency, not
// the processor, is what a batch waits for: measured with 100,000 devices in groups of 2,048 on two
// threads, 29,100 devices/s against 24,600. The price is that each overlay is written twice. When
// the writer is done, the log is folded into the store and removed: the store is one plain file
// again, that can be copied, sent and read from read-only media. A killed writer leaves the log;
// the next one that opens the store folds it in.
//
// secure_delete is on: a replaced overlay holds the key of a superseded identity, and without it
// that key would stay in a free part of the file, invisible and copied with it. It costs nothing
// where nothing is deleted, which is every first run.
#include "imprint/golden/store.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <vector>

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>
#include <SQLiteCpp/Transaction.h>
#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "sqlite_error.hpp"
#include "store_schema.hpp"

namespace imprint::golden {
namespace {

constexpr int kApplicationId = 0x494D504F;
constexpr int kVersion = 1;
/// A reader may hold the store for the moment of one lookup.
constexpr int kBusyTimeoutMs = 10'000;

void bind_bytes(SQLite::Statement& statement, int index, ByteView bytes) {
  statement.bindNoCopy(index, bytes.data(), static_cast<int>(bytes.size()));
}

ByteView blob_of(const SQLite::Column& column) {
  return {static_cast<const std::byte*>(column.getBlob()),
          static_cast<std::size_t>(column.getBytes())};
}

std::string_view text_of(const SQLite::Column& column) {
  const char* text = column.getText();
  return {text, static_cast<std::size_t>(column.getBytes())};
}

crypto::Sha256Digest digest_of(const SQLite::Column& column) {
  crypto::Sha256Digest digest{};
  const ByteView bytes = blob_of(column);
  std::ranges::copy(bytes.first(std::min(bytes.size(), digest.size())), digest.begin());
  return digest;
}

int number(SQLite::Database& database, const char* query) {
  return database.execAndGet(query).getInt();
}

/// The whole store but its devices, under its name only when it is complete.
Result<> create(const fs::path& path, const StoreHeader& header) {
  auto file = IMPRINT_TRY(NewFile::beside(path, 0600));
  IMPRINT_TRY(without_exceptions(path, [&]() -> Result<> {
    SQLite::Database database(file.temporary_path(), SQLite::OPEN_READWRITE);
    // Nobody will ever roll back a file without its name.
    database.exec("PRAGMA journal_mode = MEMORY");
    database.exec("PRAGMA synchronous = OFF");
    database.exec(kStoreSchema);
    SQLite::Statement insert(database, "INSERT INTO golden VALUES (1, ?, ?, ?, ?, ?, ?)");
    const auto patch = image::serialize(header.golden_patch);
    insert.bind(1, header.base_path);
    insert.bind(2, static_cast<std::int64_t>(header.base_size_bytes));
    bind_bytes(insert, 3, header.base_digest);
    bind_bytes(insert, 4, header.golden_digest);
    bind_bytes(insert, 5, patch);
    insert.bind(6, header.bmap ? 1 : 0);
    insert.exec();
    return {};
  }));
  IMPRINT_TRY(file.publish());
  return sync_directory(path.has_parent_path() ? path.parent_path() : fs::path("."));
}

}  // namespace

struct OverlayStore::Impl {
  Impl(fs::path store_path, int flags)
      : path(std::move(store_path)),
        database(path, flags, kBusyTimeoutMs) {}

  fs::path path;
  SQLite::Database database;
  StoreHeader header;
  std::unique_ptr<SQLite::Statement> insert;  // made for the first put
  bool writing = false;
  std::string id;  // bindings without an allocation per item
  std::string image_name;

  /// Opens an existing store, for reading if the file system allows no more. A log that a
  /// killed writer left behind is folded in by SQLite now; that is why readers ask for writing.
  static Result<std::unique_ptr<Impl>> open(const fs::path& path);
  Result<> read_header();
  /// From here this is the writer: see the head of this file.
  Result<> start_log();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl();
};

Result<std::unique_ptr<OverlayStore::Impl>> OverlayStore::Impl::open(const fs::path& path) {
  // For its messages about missing files and directories. Closed before SQLite opens the file:
  // closing any descriptor of a file drops the process's fcntl locks on it.
  IMPRINT_TRY(File::open_read(path));
  return without_exceptions(path, [&]() -> Result<std::unique_ptr<Impl>> {
    auto impl = std::make_unique<Impl>(path, SQLite::OPEN_READWRITE);
    IMPRINT_TRY(impl->read_header());
    impl->database.exec("PRAGMA secure_delete = ON");
    impl->database.exec("PRAGMA cache_size = -16384");
    return impl;
  });
}

Result<> OverlayStore::Impl::read_header() {
  if (number(database, "PRAGMA application_id") != kApplicationId) {
    return fail(Code::invalid_input, quoted(path.string()) + " is not an overlay store");
  }
  if (const int version = number(database, "PRAGMA user_version"); version != kVersion) {
    return fail(Code::unsupported,
                fmt::format("overlay store {} has format {}; this imprint reads format {}: use the "
                            "version that made it",
                            quoted(path.string()), version, kVersion));
  }
  SQLite::Statement query(database,
                          "SELECT base_path, base_size_bytes, base_digest, golden_digest, "
                          "golden_patch, bmap FROM golden");
  if (!query.executeStep()) {
    return fail(Code::corrupt, fmt::format("overlay store {} has lost its header: restore it from "
                                           "a copy or make the batch anew",
                                           quoted(path.string())));
  }
  header.base_path = text_of(query.getColumn(0));
  header.base_size_bytes = static_cast<std::uint64_t>(query.getColumn(1).getInt64());
  header.base_digest = digest_of(query.getColumn(2));
  header.golden_digest = digest_of(query.getColumn(3));
  header.golden_patch = IMPRINT_TRY(image::parse_patch(blob_of(query.getColumn(4)))
                                        .context("overlay store " + quoted(path.string())));
  header.bmap = query.getColumn(5).getInt() != 0;
  return {};
}

OverlayStore::OverlayStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

OverlayStore::OverlayStore(OverlayStore&&) noexcept = default;
OverlayStore& OverlayStore::operator=(OverlayStore&&) noexcept = default;
OverlayStore::~OverlayStore() = default;

Result<> OverlayStore::Impl::start_log() {
  return without_exceptions(path, [&]() -> Result<> {
    database.exec("PRAGMA journal_mode = WAL");
    database.exec("PRAGMA synchronous = FULL");
    database.exec("PRAGMA wal_autocheckpoint = 4096");  // pages of 16 KiB
    writing = true;
    return {};
  });
}

OverlayStore::Impl::~Impl() {
  if (!writing) return;
  insert.reset();
  // Everything is durable already; a log that cannot be folded in now (a reader, no space) is
  // folded in by whoever opens the store next.
  const auto ignored = without_exceptions(path, [&]() -> Result<> {
    database.exec("PRAGMA journal_mode = DELETE");
    return {};
  });
  static_cast<void>(ignored);
}

Result<OverlayStore> OverlayStore::open_or_create(const fs::path& path, const StoreHeader& header) {
  std::error_code ignored;  // open() says what is wrong with a name that cannot be looked at
  if (fs::symlink_status(path, ignored).type() == fs::file_type::not_found) {
    IMPRINT_TRY(create(path, header));
  }
  OverlayStore store(IMPRINT_TRY(Impl::open(path)));
  StoreHeader& found = store.impl_->header;
  if (found.golden_digest != header.golden_digest) {
    return fail(Code::exists,
                fmt::format("overlay store {} was made from another base image or manifest: choose "
                            "another output directory or move the store away",
                            quoted(path.string())));
  }
  // The base image may have been moved since, and the manifest's mind about .bmap files may change.
  if (found.base_path != header.base_path || found.bmap != header.bmap) {
    IMPRINT_TRY(without_exceptions(path, [&]() -> Result<> {
      SQLite::Statement update(store.impl_->database, "UPDATE golden SET base_path = ?, bmap = ?");
      update.bind(1, header.base_path);
      update.bind(2, header.bmap ? 1 : 0);
      update.exec();
      return {};
    }));
    found.base_path = header.base_path;
    found.bmap = header.bmap;
  }
  return store;
}

Result<OverlayStore> OverlayStore::open(const fs::path& path) {
  return OverlayStore(IMPRINT_TRY(Impl::open(path)));
}

const StoreHeader& OverlayStore::header() const noexcept {
  return impl_->header;
}

Result<> OverlayStore::put(std::span<const Item> items) {
  // Not before: a store that gets nothing new is not touched.
  if (!impl_->writing) IMPRINT_TRY(impl_->start_log());
  return without_exceptions(impl_->path, [&]() -> Result<> {
    if (!impl_->insert) {
      impl_->insert = std::make_unique<SQLite::Statement>(
          impl_->database,
          "INSERT INTO device (id, image_name, overlay) VALUES (?, ?, ?) ON CONFLICT (id) DO "
          "UPDATE "
          "SET image_name = excluded.image_name, overlay = excluded.overlay");
    }
    SQLite::Statement& insert = *impl_->insert;
    SQLite::Transaction transaction(impl_->database, SQLite::TransactionBehavior::IMMEDIATE);
    for (const Item& item : items) {
      impl_->id = item.device_id;
      impl_->image_name = item.image_name;
      insert.tryReset();  // a failed step reports its error once more here
      insert.bindNoCopy(1, impl_->id);
      insert.bindNoCopy(2, impl_->image_name);
      bind_bytes(insert, 3, item.serialized);
      insert.exec();
    }
    insert.tryReset();
    transaction.commit();
    return {};
  });
}

Result<OverlayStore::Entry> OverlayStore::get(std::string_view device_id) const {
  return without_exceptions(impl_->path, [&]() -> Result<Entry> {
    SQLite::Statement query(impl_->database, "SELECT image_name, overlay FROM device WHERE id = ?");
    query.bind(1, std::string(device_id));
    if (query.executeStep()) {
      return Entry{.image_name = std::string(text_of(query.getColumn(0))),
                   .serialized = crypto::SecretBytes(blob_of(query.getColumn(1)))};
    }
    // Only ids of about that length can be meant, and ten thousand are enough to look through.
    SQLite::Statement similar(impl_->database,
                              "SELECT id FROM device WHERE length(id) BETWEEN ?1 - 2 AND ?1 + 2 "
                              "LIMIT 10000");
    similar.bind(1, static_cast<std::int64_t>(device_id.size()));
    std::vector<std::string> ids;
    while (similar.executeStep())
      ids.emplace_back(text_of(similar.getColumn(0)));
    const std::vector<std::string_view> known(ids.begin(), ids.end());
    const auto meant = nearest(device_id, known);
    return fail(
        Code::not_found,
        fmt::format("overlay store {} has no device {}{}", quoted(impl_->path.string()),
                    quoted(device_id), meant ? "; did you mean " + quoted(*meant) + "?" : ""));
  });
}

Result<std::uint64_t> OverlayStore::count() const {
  return without_exceptions(impl_->path, [&]() -> Result<std::uint64_t> {
    const SQLite::Column count = impl_->database.execAndGet("SELECT count(*) FROM device");
    return static_cast<std::uint64_t>(count.getInt64());
  });
}

Result<> OverlayStore::for_each_id(
    const std::function<void(std::string_view id, std::string_view image_name)>& visit) const {
  return without_exceptions(impl_->path, [&]() -> Result<> {
    SQLite::Statement query(impl_->database, "SELECT id, image_name FROM device ORDER BY ordinal");
    while (query.executeStep())
      visit(text_of(query.getColumn(0)), text_of(query.getColumn(1)));
    return {};
  });
}

}  // namespace imprint::golden
