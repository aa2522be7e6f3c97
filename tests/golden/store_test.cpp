#include "imprint/golden/store.hpp"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/command.hpp"
#include "support/fault.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace imprint::golden {
namespace {

using imprint::test::FailsWith;
using imprint::test::IsOk;
using imprint::test::run_command;
using imprint::test::slurp;

class Store : public testing::Test {
 protected:
  Store() {
    header_.base_path = "/images/base \xC3\xA9.sdimg";
    header_.base_size_bytes = std::uint64_t{1} << 33;
    header_.base_digest.fill(std::byte{0xBA});
    header_.golden_digest.fill(std::byte{0x60});
    header_.golden_patch.writes.push_back(
        {.offset = 77, .bytes = {std::byte{'p'}, std::byte{'q'}}});
    header_.bmap = true;
  }

  [[nodiscard]] OverlayStore create() const {
    return OverlayStore::open_or_create(path_, header_).value();
  }

  [[nodiscard]] static Result<> put(OverlayStore& store, std::string_view id,
                                    std::string_view bytes) {
    const std::string name = std::string(id) + ".sdimg";
    const OverlayStore::Item item{
        .device_id = id, .image_name = name, .serialized = bytes_of(bytes)};
    return store.put(std::span(&item, 1));
  }

  std::string sqlite(const std::string& query) const {
    const auto result = run_command({"sqlite3", path_.string(), query});
    EXPECT_EQ(result.status, 0) << result.err;
    return result.out;
  }

  imprint::test::TempDir dir_;
  fs::path path_ = dir_ / "overlays.db";
  StoreHeader header_;
};

TEST_F(Store, KeepsHeaderAndOverlays) {
  {
    OverlayStore store = create();
    ASSERT_THAT(put(store, "dev-1", "overlay 1"), IsOk());
    ASSERT_THAT(put(store, "dev-2", std::string("with \0 inside", 13)), IsOk());
  }
  const auto store = OverlayStore::open(path_);
  ASSERT_THAT(store, IsOk());
  EXPECT_EQ(store->header().base_path, header_.base_path);
  EXPECT_EQ(store->header().base_size_bytes, header_.base_size_bytes);
  EXPECT_EQ(store->header().base_digest, header_.base_digest);
  EXPECT_EQ(store->header().golden_digest, header_.golden_digest);
  EXPECT_EQ(store->header().golden_patch.digest(), header_.golden_patch.digest());
  EXPECT_TRUE(store->header().bmap);
  EXPECT_EQ(store->count().value(), 2U);
  const auto entry = store->get("dev-2");
  ASSERT_THAT(entry, IsOk());
  EXPECT_EQ(entry->image_name, "dev-2.sdimg");
  EXPECT_EQ(text_of(entry->serialized.view()), std::string_view("with \0 inside", 13));
}

TEST_F(Store, IsReadableByItsOwnerOnly) {
  const auto old_mask = ::umask(0);
  const OverlayStore store = create();
  ::umask(old_mask);

  struct stat status {};

  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(Store, IsASoundDatabaseThatOthersCanRead) {
  IMPRINT_NEED_COMMAND("sqlite3");
  {
    OverlayStore store = create();
    for (int i = 0; i < 100; ++i) {
      ASSERT_THAT(put(store, "dev-" + std::to_string(i), std::string(2000, 'k')), IsOk());
    }
  }
  EXPECT_EQ(sqlite("PRAGMA integrity_check"), "ok\n");
  EXPECT_EQ(sqlite("PRAGMA user_version"), "1\n");
  EXPECT_EQ(sqlite("PRAGMA application_id"), "1229803599\n");
  EXPECT_EQ(sqlite("SELECT count(*), sum(length(overlay)) FROM device"), "100|200000\n");
  EXPECT_EQ(sqlite("SELECT base_path FROM golden"), header_.base_path + "\n");
}

TEST_F(Store, IsOneFileWhenItsWriterIsDone) {
  {
    OverlayStore store = create();
    ASSERT_THAT(put(store, "dev-1", "overlay"), IsOk());
  }
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(dir_.path())) {
    names.push_back(entry.path().filename());
  }
  EXPECT_THAT(names, testing::ElementsAre("overlays.db"));
}

TEST_F(Store, ListsDevicesInTheOrderTheyCame) {
  OverlayStore store = create();
  for (const char* id : {"b", "c", "a"})
    ASSERT_THAT(put(store, id, "x"), IsOk());
  ASSERT_THAT(put(store, "c", "again"), IsOk());
  std::vector<std::string> seen;
  ASSERT_THAT(store.for_each_id([&seen](std::string_view id, std::string_view name) {
    seen.push_back(std::string(id) + "=" + std::string(name));
  }),
              IsOk());
  EXPECT_THAT(seen, testing::ElementsAre("b=b.sdimg", "c=c.sdimg", "a=a.sdimg"));
}

TEST_F(Store, ReplacesAndForgetsASupersededOverlay) {
  {
    OverlayStore store = create();
    ASSERT_THAT(put(store, "dev-1", "the old private key"), IsOk());
    ASSERT_THAT(put(store, "dev-1", "new"), IsOk());
    EXPECT_EQ(text_of(store.get("dev-1").value().serialized.view()), "new");
    EXPECT_EQ(store.count().value(), 1U);
  }
  EXPECT_EQ(slurp(path_).find("the old private key"), std::string::npos);
}

TEST_F(Store, ForgetsALargeSupersededOverlay) {
  // Longer than a page: it lives in pages of its own, which become free.
  std::string old;
  for (int i = 0; i < 20000; ++i)
    old += "old private key " + std::to_string(i) + "\n";
  {
    OverlayStore store = create();
    ASSERT_THAT(put(store, "dev-1", old), IsOk());
  }
  ASSERT_NE(slurp(path_).find("old private key"), std::string::npos);
  {
    OverlayStore store = create();
    ASSERT_THAT(put(store, "dev-1", "new"), IsOk());
  }
  EXPECT_EQ(slurp(path_).find("old private key"), std::string::npos);
}

TEST_F(Store, OpensAgainForTheSameGoldenImage) {
  {
    OverlayStore store = create();
    ASSERT_THAT(put(store, "dev-1", "overlay"), IsOk());
  }
  header_.base_path = "/moved/base.sdimg";
  header_.bmap = false;
  {
    const OverlayStore store = create();
    EXPECT_EQ(store.count().value(), 1U);
  }
  const auto store = OverlayStore::open(path_);
  EXPECT_EQ(store->header().base_path, "/moved/base.sdimg");
  EXPECT_FALSE(store->header().bmap);
}

TEST_F(Store, RefusesAnotherGoldenImage) {
  { const OverlayStore store = create(); }
  const std::string before = slurp(path_);
  header_.golden_digest[0] = std::byte{1};
  EXPECT_THAT(OverlayStore::open_or_create(path_, header_),
              FailsWith(Code::exists,
                        "overlays.db' was made from another base image or manifest: "
                        "choose another output directory or move the store away"));
  EXPECT_EQ(slurp(path_), before);
}

TEST_F(Store, NamesTheNearestDevice) {
  OverlayStore store = create();
  ASSERT_THAT(put(store, "unit-0042", "x"), IsOk());
  ASSERT_THAT(put(store, "other", "x"), IsOk());
  EXPECT_THAT(store.get("unit-0043"),
              FailsWith(Code::not_found, "has no device 'unit-0043'; did you mean 'unit-0042'?"));
  EXPECT_THAT(store.get("entirely-different"),
              FailsWith(Code::not_found, "has no device 'entirely-different'"));
}

TEST_F(Store, RefusesWhatIsNoStore) {
  EXPECT_THAT(OverlayStore::open(path_), FailsWith(Code::not_found, "overlays.db"));
  EXPECT_THAT(OverlayStore::open(dir_.path()), FailsWith(Code::invalid_input));
  const auto text = dir_.write("text", std::string(20000, 'x'));
  EXPECT_THAT(OverlayStore::open(text),
              FailsWith(Code::invalid_input, "text' is not an overlay store"));
  const auto empty = dir_.write("empty", "");
  EXPECT_THAT(OverlayStore::open(empty),
              FailsWith(Code::invalid_input, "empty' is not an overlay store"));
  EXPECT_THAT(OverlayStore::open_or_create(text, header_), FailsWith(Code::invalid_input));
  EXPECT_EQ(slurp(text), std::string(20000, 'x'));
}

TEST_F(Store, RefusesAnotherDatabase) {
  IMPRINT_NEED_COMMAND("sqlite3");
  sqlite("CREATE TABLE ledger (x)");
  EXPECT_THAT(OverlayStore::open(path_),
              FailsWith(Code::invalid_input, "overlays.db' is not an overlay store"));
}

TEST_F(Store, RefusesANewerVersion) {
  IMPRINT_NEED_COMMAND("sqlite3");
  { const OverlayStore store = create(); }
  sqlite("PRAGMA user_version = 2");
  EXPECT_THAT(OverlayStore::open(path_),
              FailsWith(Code::unsupported,
                        "has format 2; this imprint reads format 1: use the version that made it"));
}

TEST_F(Store, SaysWhenItIsDamaged) {
  IMPRINT_NEED_COMMAND("sqlite3");
  { const OverlayStore store = create(); }
  sqlite("UPDATE golden SET golden_patch = x'0142'");
  EXPECT_THAT(OverlayStore::open(path_),
              FailsWith(Code::corrupt, "overlays.db': a patch is cut short"));
  sqlite("DELETE FROM golden");
  EXPECT_THAT(OverlayStore::open(path_), FailsWith(Code::corrupt, "has lost its header"));
}

TEST_F(Store, StoresAllOfAGroupOrNothing) {
  IMPRINT_NEED_COMMAND("sqlite3");
  {
    OverlayStore store = create();
    ASSERT_THAT(put(store, "dev-1", "x"), IsOk());
  }
  sqlite(
      "CREATE TRIGGER refuse BEFORE INSERT ON device WHEN new.id = 'bad' "
      "BEGIN SELECT RAISE(ABORT, 'no'); END");
  OverlayStore store = create();
  const std::vector<OverlayStore::Item> items{
      {.device_id = "good", .image_name = "good", .serialized = bytes_of("x")},
      {.device_id = "bad", .image_name = "bad", .serialized = bytes_of("x")}};
  EXPECT_THAT(store.put(items), FailsWith(Code::database, "overlay store '"));
  EXPECT_EQ(store.count().value(), 1U);
  EXPECT_THAT(put(store, "dev-2", "x"), IsOk()) << "usable after a failure";
}

TEST_F(Store, AppearsWholeOrNotAtAll) {
  int failures = 0;
  for (int n = 1;; ++n) {
    ASSERT_LT(n, 100);
    fs::remove(path_);
    bool fired = false;
    {
      const imprint::test::FailNth fault(n);
      if (!OverlayStore::open_or_create(path_, header_)) ++failures;
      fired = fault.fired();
    }
    if (fs::exists(path_)) {
      EXPECT_THAT(OverlayStore::open(path_), IsOk());
    }
    std::size_t names = 0;
    for ([[maybe_unused]] const auto& entry : fs::directory_iterator(dir_.path()))
      ++names;
    EXPECT_LE(names, fs::exists(path_) ? 1U : 0U) << "nothing is left behind, N = " << n;
    if (!fired) break;
  }
  EXPECT_GE(failures, 3);
}

/// Puts groups of eight devices until it is killed; says in a pipe how many are durable.
[[noreturn]] void put_until_killed(const fs::path& path, const StoreHeader& header, int report) {
  auto store = OverlayStore::open_or_create(path, header);
  if (!store) ::_exit(1);
  const std::string bytes(2000, 'k');
  auto next = static_cast<std::uint32_t>(store->count().value());
  for (;;) {
    std::vector<std::string> ids;
    for (int i = 0; i < 8; ++i)
      ids.push_back("dev-" + std::to_string(next++));
    std::vector<OverlayStore::Item> items;
    for (const std::string& id : ids) {
      items.push_back({.device_id = id, .image_name = id, .serialized = bytes_of(bytes)});
    }
    if (!store->put(items)) ::_exit(1);
    if (::write(report, &next, sizeof next) != sizeof next) ::_exit(1);
  }
}

TEST_F(Store, LosesNoDurableOverlayWhenKilled) {
  IMPRINT_NEED_COMMAND("sqlite3");
  std::uint32_t durable = 0;
  for (unsigned round = 0; round < 12; ++round) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) put_until_killed(path_, header_, ends[1]);
    ::close(ends[1]);
    // Some groups, then the signal at a moment of its own.
    std::uint32_t reported = 0;
    for (unsigned group = 0; group < 3 + round; ++group) {
      ASSERT_EQ(::read(ends[0], &reported, sizeof reported), ssize_t{sizeof reported});
    }
    ::usleep(round * 137);
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status));
    while (::read(ends[0], &reported, sizeof reported) == ssize_t{sizeof reported}) {
    }
    ::close(ends[0]);
    durable = reported;
    // Reading alone must cope with what the writer left behind.
    const auto store = OverlayStore::open(path_);
    ASSERT_THAT(store, IsOk());
    const std::uint64_t count = store->count().value();
    EXPECT_GE(count, durable);
    EXPECT_LE(count, durable + 8);
    EXPECT_EQ(count % 8, 0U);
  }
  EXPECT_EQ(sqlite("PRAGMA integrity_check"), "ok\n");
}

}  // namespace
}  // namespace imprint::golden
