#include "targets.hpp"

#include <algorithm>
#include <array>
#include <sys/stat.h>

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "imprint/pipeline/materialize.hpp"

namespace imprint::verify {

namespace {

constexpr std::string_view kStoreName = "overlays.db";
constexpr std::string_view kLedgerName = "ledger.db";
/// Of databases, lists, reports, block maps and files that were being written, which a batch
/// leaves; and of what people put beside images.
constexpr std::array<std::string_view, 21> kOtherEndings = {
    ".db",   "-wal",   "-shm", "-journal", ".bmap", ".tmp",    ".csv",
    ".json", ".jsonl", ".log", ".txt",     ".md",   ".sha256", ".sha512",
    "SUMS",  ".sig",   ".asc", ".pem",     ".crt",  ".crl",    ".key"};

bool may_be_image(const std::string& name) {
  if (name.starts_with('.')) return false;
  return std::ranges::none_of(kOtherEndings,
                              [&](std::string_view ending) { return name.ends_with(ending); });
}

/// Every SQLite file begins so.
bool is_database(const fs::path& path) {
  constexpr std::string_view kMagic("SQLite format 3\0", 16);
  std::array<std::byte, kMagic.size()> start{};
  const auto file = File::open_read(path);
  return file && file->read_exact(0, start) && text_of(start) == kMagic;
}

}  // namespace

Result<Targets> Targets::find(const std::vector<fs::path>& places, const Request& request) {
  Targets targets;
  for (const fs::path& place : places)
    IMPRINT_TRY(targets.add(place, request));
  return targets;
}

void Targets::add_file(const fs::path& path, const ledger::Ledger* ledger) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) == 0 && !files_.emplace(status.st_dev, status.st_ino).second)
    return;
  all_.push_back({.shown = path.string(),
                  .path = path,
                  .image_name = path.filename().string(),
                  .id = {},
                  .store = nullptr,
                  .ledger = ledger});
}

Result<> Targets::add(const fs::path& place, const Request& request) {
  std::error_code error;
  if (fs::is_directory(place, error)) return add_directory(place, request);
  if (is_database(place)) return add_store(place, request);
  const ledger::Ledger* ledger = nullptr;
  if (request.ledger) ledger = IMPRINT_TRY(open_ledger(*request.ledger).context("--ledger"));
  add_file(place, ledger);
  return {};
}

Result<> Targets::add_directory(const fs::path& directory, const Request& request) {
  std::error_code error;
  std::vector<fs::path> images;
  fs::directory_iterator entry(directory, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    std::error_code of_entry;
    if (entry->is_regular_file(of_entry) && may_be_image(entry->path().filename().string()))
      images.push_back(entry->path());
  }
  if (error)
    return fail(Code::io,
                fmt::format("reading {}: {}", quoted(directory.string()), error.message()));
  std::ranges::sort(images);
  const fs::path store = directory / kStoreName;
  const bool has_store = fs::exists(store, error);
  if (images.empty() && !has_store) {
    return fail(Code::not_found,
                fmt::format("{} holds no image and no overlay store", quoted(directory.string())));
  }
  const ledger::Ledger* ledger = IMPRINT_TRY(ledger_for(directory, request));
  for (const fs::path& image : images)
    add_file(image, ledger);
  return has_store ? add_store(store, request) : Result<>();
}

Result<> Targets::add_store(const fs::path& path, const Request& request) {
  auto store = IMPRINT_TRY(golden::OverlayStore::open(path));
  auto base =
      IMPRINT_TRY(pipeline::open_store_base(path, store.header(), request.base, request.unpacking));
  auto layout = IMPRINT_TRY(image::find_layout(base, request.layout));
  const ledger::Ledger* ledger = IMPRINT_TRY(ledger_for(path.parent_path(), request));
  auto open =
      std::make_unique<OpenStore>(path, std::move(store), std::move(base), std::move(layout));
  IMPRINT_TRY(open->store.for_each_id([&](std::string_view id, std::string_view image_name) {
    all_.push_back({.shown = fmt::format("{}: {}", path.string(), id),
                    .path = path,
                    .image_name = std::string(image_name),
                    .id = std::string(id),
                    .store = open.get(),
                    .ledger = ledger});
  }));
  stores_.push_back(std::move(open));
  return {};
}

Result<const ledger::Ledger*> Targets::ledger_for(const fs::path& directory,
                                                  const Request& request) {
  if (request.ledger) return open_ledger(*request.ledger).context("--ledger");
  const fs::path own = directory / kLedgerName;
  std::error_code error;
  if (!fs::exists(own, error)) return static_cast<const ledger::Ledger*>(nullptr);
  return open_ledger(own);
}

Result<const ledger::Ledger*> Targets::open_ledger(const fs::path& path) {
  for (const auto& [known, ledger] : ledgers_) {
    if (known == path) return static_cast<const ledger::Ledger*>(ledger.get());
  }
  auto opened = IMPRINT_TRY(ledger::Ledger::open_read_only(path));
  ledgers_.emplace_back(path, std::make_unique<ledger::Ledger>(std::move(opened)));
  return static_cast<const ledger::Ledger*>(ledgers_.back().second.get());
}

}  // namespace imprint::verify
