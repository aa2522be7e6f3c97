// The plug is pulled: SIGKILL at random moments of a batch, again and again, until nothing is left
// to do.

#include <algorithm>
#include <csignal>
#include <random>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "imprint/crypto/certificate.hpp"
#include "imprint/golden/store.hpp"
#include "settled.hpp"
#include "support/in_memory.hpp"
#include "support/matchers.hpp"
#include "support/process.hpp"

namespace imprint::cli::test {
namespace {

IMPRINT_TEMPORARIES_IN_MEMORY();

using imprint::test::IsOk;
using imprint::test::Process;
using imprint::test::wait_until;

std::uintmax_t size_of(const fs::path& file) {
  std::error_code missing;
  const std::uintmax_t size = fs::file_size(file, missing);
  return missing ? 0 : size;
}

struct Killer {
  std::string format;
  unsigned most_devices;           ///< killed after 0 ... about so many devices of a run,
  std::chrono::microseconds more;  ///< and so much time at most

  /// One run that is killed, or in one of four rounds at any time from its start. True when it had
  /// not ended before.
  bool round() {
    constexpr unsigned kEventBytes = 220;
    const std::uintmax_t target =
        size_of("events.jsonl") + 1 + random() % (most_devices * kEventBytes);
    Process run({binary(), "batch", "manifest.json", "--format", format, "--events", "events.jsonl",
                 "--quiet"},
                "log");
    if (random() % 4 != 0) {
      EXPECT_TRUE(wait_until([&] { return size_of("events.jsonl") >= target || !run.running(); }));
    } else {
      std::this_thread::sleep_for(std::chrono::milliseconds(random() % 200));
    }
    std::this_thread::sleep_for(more * (random() % 1000) / 1000);
    run.signal(SIGKILL);
    const int status = run.wait();
    EXPECT_THAT(status, testing::AnyOf(0, 128 + SIGKILL)) << slurp("log");
    return status != 0;
  }

  std::mt19937 random{20261120};
};

constexpr int kRounds = 18;

TEST(BatchKilled, EveryImageIsDoneExactlyOnce) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_COMMAND("sqlite3");
  constexpr int kDevices = 48;
  const BatchFolder folder(Variant::empty_b, kDevices);
  fs::create_directory("out");
  Killer killer{.format = "image", .most_devices = 3, .more = std::chrono::milliseconds(15)};
  InterruptedBatch interrupted;
  int killed = 0;
  for (int round = 0; round < kRounds; ++round) {
    SCOPED_TRACE(fmt::format("round {}", round));
    if (killer.round()) ++killed;
    interrupted.check_images();
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GE(killed, 4) << "too fast to be killed: more devices are needed";
  const auto last = imprint({"batch", "manifest.json"});
  ASSERT_EQ(last.status, 0) << last.err;
  interrupted.check_images();
  expect_all_done(kDevices);
  for (int i = 1; i <= kDevices; ++i) {
    EXPECT_TRUE(fs::exists(fmt::format("out/unit-{}.sdimg", i))) << i;
    EXPECT_TRUE(fs::exists(fmt::format("out/unit-{}.sdimg.bmap", i))) << i;
  }
}

/// The certificate that an overlay holds, without any knowledge of where it goes.
std::string certificate_in(const golden::Overlay& overlay) {
  constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE-----";
  for (const golden::Overlay::Piece& piece : overlay.pieces()) {
    const std::string_view text = text_of(overlay.bytes_of(piece));
    if (!text.starts_with(kBegin)) continue;
    const auto certificate = crypto::Certificate::parse(bytes_of(text));
    EXPECT_THAT(certificate, IsOk());
    if (certificate) return to_hex(certificate->fingerprint());
  }
  ADD_FAILURE() << "no certificate in the overlay";
  return {};
}

TEST(BatchKilled, EveryOverlayIsDoneExactlyOnce) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_COMMAND("sqlite3");
  constexpr int kDevices = 12000;
  const BatchFolder folder(Variant::empty_b, kDevices);
  Killer killer{.format = "overlay", .most_devices = 400, .more = std::chrono::milliseconds(3)};
  int killed = 0;
  for (int round = 0; round < kRounds; ++round) {
    if (killer.round()) ++killed;
  }
  EXPECT_GE(killed, 4) << "too fast to be killed: more devices are needed";
  const auto last = imprint({"batch", "manifest.json", "--format", "overlay"});
  ASSERT_EQ(last.status, 0) << last.err;
  expect_all_done(kDevices);

  EXPECT_EQ(sql("out/overlays.db", "PRAGMA integrity_check"), "ok");
  const auto store = golden::OverlayStore::open("out/overlays.db");
  ASSERT_THAT(store, IsOk());
  const auto rows = read_csv("out/devices.csv");
  ASSERT_THAT(rows, testing::SizeIs(kDevices));
  for (const auto& row : rows) {
    const auto entry = store->get(row.at("id"));
    ASSERT_THAT(entry, IsOk());
    golden::Overlay overlay;
    ASSERT_THAT(overlay.parse(entry->serialized.view()), IsOk());
    ASSERT_EQ(certificate_in(overlay), row.at("certificate_sha256")) << row.at("id");
  }
  ASSERT_EQ(imprint({"materialize", "out/overlays.db", "--id", "unit-1999"}).status, 0);
  EXPECT_EQ(verified_certificate("unit-1999.sdimg"), rows[1998].at("certificate_sha256"));
}

}  // namespace
}  // namespace imprint::cli::test
