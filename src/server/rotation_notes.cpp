// What the user is told after a step: where the rotation is, and what comes next until when.

#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "rotation.hpp"
#include "successors.hpp"

namespace imprint::server {

namespace {

/// Devices that update rarely need time to learn of the next one.
constexpr std::chrono::hours kShortNotice{90 * 24};

std::string days_until(TimePoint end, TimePoint now) {
  return fmt::format("{} days", std::chrono::floor<std::chrono::days>(end - now).count());
}

/// The first to end decides.
TimePoint end_of(std::span<const Pair> pairs) {
  TimePoint end = pairs.front().own().not_after();
  for (const Pair& pair : pairs)
    end = std::min(end, pair.own().not_after());
  return end;
}

void place(std::span<const Pair> pairs, RotateReport& report) {
  for (const Pair& pair : pairs)
    report.certificates.push_back({pair.certificate_file, pair.own()});
}

/// Where new files could not be given to the owner of the old ones.
Result<> describe_owners(const Run& run, std::string_view old, std::string_view successor,
                         RotateReport& report) {
  std::vector<Successor> successors;
  for (const CertificatePlace& place : certificate_places(run.tree.layout)) {
    const fs::path folder = run.request.directory / place.folder;
    for (const std::string_view file : {kCertificateFile, kKeyFile}) {
      const Owner owner = IMPRINT_TRY(owner_of(folder / old / file));
      successors.push_back({folder / successor / file, owner});
    }
  }
  const auto notes = IMPRINT_TRY(chown_notes(successors));
  report.notes.insert(report.notes.end(), notes.begin(), notes.end());
  return {};
}

Result<> describe_begun(const Run& run, std::span<const Pair> pairs, RotateReport& report) {
  const TimePoint now = run.clock.now();
  const TimePoint end = end_of(pairs);
  const auto next = IMPRINT_TRY(run.pairs(kNextFolder));
  place(next, report);
  IMPRINT_TRY(describe_owners(run, "", kNextFolder, report));
  report.notes.push_back(
      fmt::format("now: bring {} to all clients; it holds the old and the new trust",
                  run.trust_path().string()));
  report.notes.push_back(
      fmt::format("then{}: {}, and restart the server's gateway; the next certificate ends on {}",
                  end > now ? ", before " + to_rfc3339(end) : "",
                  rotate_command(run.request.directory, "--switch"), to_rfc3339(end_of(next))));
  report.notes.push_back(fmt::format("at last, when all is well: {} drops the old one",
                                     rotate_command(run.request.directory, "--finish")));
  if (end <= now) {
    report.warnings.push_back(
        fmt::format("the old certificate has ended on {}: no update reaches a device any more, "
                    "and each has to be given the new 'server.crt' by hand",
                    to_rfc3339(end)));
  } else if (end - now < kShortNotice) {
    report.warnings.push_back(
        fmt::format("the old certificate ends on {}, in {}: clients that have not got the new "
                    "'server.crt' by then cannot connect any more",
                    to_rfc3339(end), days_until(end, now)));
  }
  return {};
}

}  // namespace

Result<> describe(const Run& run, RotateReport& report) {
  const Progress progress = IMPRINT_TRY(progress_of(run.request.directory, run.tree.layout));
  report.state = word(progress);
  if (!report.changed && run.request.step == RotateStep::begin)
    report.notes.emplace_back("this rotation had begun before");
  const auto pairs = IMPRINT_TRY(run.pairs());
  place(pairs, report);
  if (progress == Progress::begun) return describe_begun(run, pairs, report);
  if (progress == Progress::switched) {
    const auto old = IMPRINT_TRY(run.pairs(kOldFolder));
    place(old, report);
    IMPRINT_TRY(describe_owners(run, kOldFolder, "", report));
    report.notes.emplace_back("now: restart the server's gateway, it has another certificate");
    report.notes.push_back(fmt::format(
        "at last, when all is well: {} drops the old certificate, which ends on {}, and {} can "
        "follow on the clients",
        rotate_command(run.request.directory, "--finish"), to_rfc3339(end_of(old)),
        run.trust_path().string()));
    return {};
  }
  report.notes.push_back(fmt::format("{}: the trust for what the server uses, until {}",
                                     run.trust_path().string(), to_rfc3339(end_of(pairs))));
  return {};
}

}  // namespace imprint::server
