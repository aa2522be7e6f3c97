#include "settled.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace imprint::cli::test {

std::string verified_certificate(const fs::path& image) {
  const auto verified = imprint({"verify", image.string(), "--ca", "ca/ca-cert.pem", "--json"});
  EXPECT_EQ(verified.status, 0) << verified.out << verified.err;
  const Json verdict = Json::parse(verified.out, nullptr, false);
  if (!verdict.is_object()) return {};
  return verdict["images"][0]["certificate_sha256"].get<std::string>();
}

void InterruptedBatch::check_images() {
  if (!fs::exists("out/ledger.db")) {
    for (const auto& entry : fs::directory_iterator("out"))
      EXPECT_NE(entry.path().extension(), ".sdimg") << entry.path() << " and no ledger";
    return;
  }
  const imprint::test::TempDir copy;
  for (const char* name : {"ledger.db", "ledger.db-wal", "ledger.db-shm"}) {
    const fs::path file = fs::path("out") / name;
    if (fs::exists(file)) fs::copy_file(file, copy / name);
  }
  for (const auto& entry : fs::directory_iterator("out")) {
    const std::string name = entry.path().filename();
    if (entry.path().extension() != ".sdimg" || name.starts_with('.')) continue;
    const auto stamp = fmt::format("{} {}", fs::file_size(entry.path()),
                                   entry.last_write_time().time_since_epoch().count());
    const auto [known, is_new] = seen_.emplace(name, stamp);
    EXPECT_EQ(known->second, stamp) << name << " was done and has changed";
    if (!is_new) continue;
    const std::string certificate = verified_certificate(entry.path());
    EXPECT_EQ(sql(copy / "ledger.db", fmt::format("SELECT device_id || '.sdimg' FROM devices WHERE "
                                                  "certificate_sha256='{}'",
                                                  certificate)),
              name)
        << "the ledger does not know its certificate";
  }
}

void expect_all_done(int count) {
  EXPECT_EQ(sql("out/ledger.db", "PRAGMA integrity_check"), "ok");
  EXPECT_EQ(sql("out/ledger.db",
                "SELECT count(*), count(DISTINCT device_id) FROM devices WHERE state='placed'"),
            fmt::format("{0}|{0}", count));
  EXPECT_EQ(sql("out/ledger.db",
                "SELECT count(*) FROM devices WHERE state NOT IN ('placed','superseded','failed')"),
            "0");
  EXPECT_EQ(sql("out/ledger.db",
                "SELECT count(*) - count(DISTINCT serial), count(*) - "
                "count(DISTINCT public_key_sha256) FROM certificates"),
            "0|0");
  EXPECT_EQ(
      sql("out/ledger.db",
          "SELECT count(*) FROM (SELECT device_id, state, max(certificate) FROM devices GROUP "
          "BY device_id) WHERE state != 'placed'"),
      "0")
      << "the last certificate of each device is the placed one";
  EXPECT_THAT(leftovers("out"), testing::IsEmpty());
}

}  // namespace imprint::cli::test
