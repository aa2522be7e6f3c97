// A fleet's worth of revocations: what a CRL of a million entries costs.

#include <chrono>
#include <filesystem>
#include <sys/resource.h>

#include <gtest/gtest.h>

#include "batch_fixture.hpp"
#include "support/process.hpp"

namespace imprint::cli::test {
namespace {

using imprint::test::Process;
using imprint::test::TempDir;

/// As many rows as a batch of a million leaves, revoked; `sqlite3` writes them.
constexpr std::string_view kMillion = R"(
PRAGMA synchronous = OFF;
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)
INSERT INTO certificates (run, device_id, subject, serial, certificate_sha256, public_key_sha256,
                          not_before, not_after, key_kind, issued_at)
  SELECT 1, 'unit-' || i, 'CN=unit-' || i || '.devices.example.com,O=My Organization',
         cast(x'41' || randomblob(15) AS BLOB), randomblob(32), randomblob(32), 1700000000,
         2000000000, 'ec:P-256', 1700000000 FROM n;
INSERT OR IGNORE INTO revocations (certificate, revoked_at, reason, run)
  SELECT id, 1700000000 + id, CASE id % 2 WHEN 0 THEN 'keyCompromise' ELSE 'unspecified' END, 1
    FROM certificates;
COMMIT;
)";

TEST(MillionRevocations, TakeTenSecondsAndSixtyFourMebibytesAtMost) {
  IMPRINT_NEED_COMMAND("sqlite3");
  const TempDir dir;
  const auto path = [&dir](std::string_view name) { return (dir / name).string(); };
  for (const std::string kind : {"ec:P-256", "ed25519"}) {
    const std::string ca = path(kind.substr(0, 2));
    ASSERT_EQ(imprint({"ca", "init", ca, "--cn", "Test CA", "--key", kind}).status, 0);
    ASSERT_EQ(imprint({"ca", "issue-device", ca, "--id", "one", "--output", ca + "-out"}).status,
              0);
    const auto filled = run_command({"sqlite3", ca + "/ledger.db"}, kMillion);
    ASSERT_EQ(filled.status, 0) << filled.err;
    const auto start = std::chrono::steady_clock::now();
    Process run({binary(), "ca", "crl", ca, "--output", ca + ".pem"}, dir / "log");
    EXPECT_EQ(run.wait(), 0) << slurp(dir / "log");
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    struct rusage usage = {};  // the largest child so far
    ASSERT_EQ(::getrusage(RUSAGE_CHILDREN, &usage), 0);
    RecordProperty(kind + " seconds", std::to_string(seconds.count()));
    RecordProperty(kind + " KiB", std::to_string(usage.ru_maxrss));
    EXPECT_LE(seconds.count(), 10) << kind;
    EXPECT_LE(usage.ru_maxrss, 64L << 10) << kind << ", KiB";
  }
  for (const std::string ca : {"ec", "ed"}) {
    EXPECT_EQ(run_command({"openssl", "crl", "-in", path(ca + ".pem"), "-CAfile",
                           path(ca) + "/ca-cert.pem", "-noout"})
                  .err,
              "verify OK\n");
  }
}

}  // namespace
}  // namespace imprint::cli::test
