// What the ledger costs a device: the batch's pattern, groups of 512 with the outcomes of the group
// before.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <sys/resource.h>
#include <vector>

#include <fmt/format.h>

#include "made.hpp"

namespace {

namespace fs = std::filesystem;
using namespace imprint;
using namespace imprint::ledger;

constexpr std::size_t kGroup = 512;

double cpu_seconds() {
  rusage usage = {};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Lap {
  double cpu = cpu_seconds();
  std::chrono::steady_clock::time_point wall = std::chrono::steady_clock::now();

  void report(const char* what, std::size_t devices) const {
    const double wall_seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - wall).count();
    rusage usage = {};
    ::getrusage(RUSAGE_SELF, &usage);
    fmt::print(
        "{:<28} {:6.2f} us CPU  {:6.2f} us wall a device, {} KiB peak, {} bytes written a device\n",
        what, 1e6 * (cpu_seconds() - cpu) / static_cast<double>(devices),
        1e6 * wall_seconds / static_cast<double>(devices), usage.ru_maxrss,
        512 * static_cast<std::size_t>(usage.ru_oublock) / devices);
  }
};

Result<> run(const fs::path& path, std::size_t devices) {
  std::error_code ignored;
  fs::remove(path, ignored);
  Ledger ledger = IMPRINT_TRY(Ledger::open(path));
  const std::int64_t run = IMPRINT_TRY(ledger.begin_run(test::run_info()));
  const auto digest = test::scattered<32>(0, 4);
  double making = 0;
  const Lap record;
  std::vector<Outcome> outcomes;
  for (std::size_t first = 0; first < devices; first += kGroup) {
    const double before = cpu_seconds();
    std::deque<test::Made> group;
    std::vector<Issued> issued;
    for (std::size_t i = first; i < std::min(devices, first + kGroup); ++i) {
      issued.push_back(group.emplace_back(i).issued());
    }
    making += cpu_seconds() - before;
    const std::int64_t row = IMPRINT_TRY(ledger.record_issued(run, issued, outcomes));
    outcomes.clear();
    for (std::size_t i = 0; i < issued.size(); ++i) {
      Outcome outcome = test::placed(row + static_cast<std::int64_t>(i));
      outcome.digest = digest;
      outcomes.push_back(outcome);
    }
  }
  IMPRINT_TRY(ledger.record_outcomes(outcomes));
  record.report("record (and make test data)", devices);
  fmt::print("{:<28} {:6.2f} us CPU\n", "  of it making test data",
             1e6 * making / static_cast<double>(devices));

  std::size_t done = 0;
  const Lap resume;
  IMPRINT_TRY(ledger.for_each_latest(
      [&done](const DeviceRow& row) { done += row.state == State::placed ? 1U : 0U; }));
  resume.report("for_each_latest", devices);
  const Lap open;
  std::size_t left = 0;
  IMPRINT_TRY(ledger.for_each_open([&left](const DeviceRow&) { ++left; }));
  open.report("for_each_open", devices);
  fmt::print("{} placed, {} open, file {} MiB\n", done, left, fs::file_size(path, ignored) >> 20);
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t devices = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 100'000;
  const fs::path directory = argc > 2 ? argv[2] : fs::temp_directory_path();
  const auto result = run(directory / "imprint-ledger-bench.db", devices);
  if (!result) fmt::print(stderr, "{}\n", result.error().message());
  return result ? 0 : 1;
}
