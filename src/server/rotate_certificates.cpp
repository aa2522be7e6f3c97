// The next certificate of the server, in the three steps that Mender's documentation gives: clients
// get to know both, then the server changes over, then clients forget the old one. Only the first
// and the last change what clients trust; between them every client that has the new server.crt can
// connect, whichever certificate the server shows.

#include <algorithm>

#include <fmt/format.h>

#include "identity.hpp"
#include "imprint/base/text.hpp"
#include "imprint/base/whole_folder.hpp"
#include "imprint/crypto/examine.hpp"
#include "imprint/server/rotate.hpp"
#include "imprint/server/texts.hpp"
#include "pair.hpp"
#include "tree_files.hpp"

namespace imprint::server {

namespace {

/// Devices that update rarely need time to learn of the next one.
constexpr std::chrono::hours kShortNotice{90 * 24};

/// One run: what was found when it began.
struct Run {
  const CertificateRotation& request;
  const Clock& clock;
  Deployment tree;
  Progress progress;

  [[nodiscard]] fs::path folder() const {
    return request.directory / certificates_folder(tree.layout);
  }

  /// What a place has under this name, below the folder of all certificates.
  [[nodiscard]] fs::path in_folder(const CertificatePlace& place, const fs::path& name) const {
    return (fs::path(place.folder) / name).lexically_relative(certificates_folder(tree.layout));
  }

  [[nodiscard]] fs::path trust() const { return trust_file(tree.layout).filename(); }
};

std::string days_until(TimePoint end, TimePoint now) {
  return fmt::format("{} days", std::chrono::floor<std::chrono::days>(end - now).count());
}

Result<> refuse_gap(const Run& run, std::span<const Pair> pairs) {
  const TimePoint now = run.clock.now();
  for (const Pair& pair : pairs) {
    const TimePoint end = pair.own().not_after();
    if (end <= now && !run.request.force) {
      return fail(Code::invalid_input,
                  fmt::format("{} has ended on {}: devices cannot connect, and no update brings "
                              "them another one; give --force to make the next one all the same",
                              quoted(pair.certificate_file.string()), to_rfc3339(end)));
    }
    const TimePoint next_end = now + std::chrono::hours(24) * std::int64_t{run.request.days};
    if (next_end >= end) continue;
    return fail(
        Code::invalid_input,
        fmt::format("--days: the next certificate would end on {}, before the one that it "
                    "follows, {}, which ends on {}; give more days",
                    to_rfc3339(next_end), quoted(pair.certificate_file.string()), to_rfc3339(end)));
  }
  return {};
}

Result<> refuse_missing_ca(const Run& run, std::span<const Pair> pairs) {
  if (run.request.ca) return {};
  for (const Pair& pair : pairs) {
    if (pair.own().is_self_signed()) continue;
    return fail(
        Code::invalid_input,
        fmt::format("{} was signed by {}; name that CA's folder with --ca",
                    quoted(pair.certificate_file.string()), quoted(pair.own().issuer_text())));
  }
  return {};
}

/// A certificate that was renewed by hand: clients that only get to know the next one beside what
/// they have would not trust the server that there is.
Result<> refuse_untrusted(const Run& run, std::span<const Pair> pairs,
                          std::span<const crypto::Certificate> trusted) {
  for (const Pair& pair : pairs) {
    if (!trust_for(trusted, {&pair, 1}).empty()) continue;
    return fail(Code::invalid_input,
                fmt::format("nothing in {} is what {} can be verified with; put that certificate "
                            "or its CA there, and bring the file to all clients",
                            quoted((run.folder() / run.trust()).string()),
                            quoted(pair.certificate_file.string())));
  }
  return {};
}

Result<std::vector<ServerNames>> names_for(const Run& run, std::span<const Pair> pairs) {
  if (!run.request.servers.empty()) return run.request.servers;
  std::vector<ServerNames> names;
  for (const Pair& pair : pairs) {
    std::vector<std::string> alt_names;
    for (const std::string& name : crypto::names_of(pair.own()).alt_names) {
      if (name.starts_with("DNS:") || name.starts_with("IP:")) alt_names.push_back(name);
    }
    const std::string file = quoted(pair.certificate_file.string());
    // Servers up to 3.0 had certificates without alternative names.
    if (alt_names.empty()) alt_names.push_back(pair.own().common_name());
    names.push_back(IMPRINT_TRY(server_names(pair.own().common_name(), file, alt_names, file)));
  }
  return names;
}

Result<std::vector<NewIdentity>> make_identities(const Run& run,
                                                 std::span<const ServerNames> names) {
  const IdentityMaker maker = IMPRINT_TRY(IdentityMaker::open(
      {.ca = run.request.ca, .days = run.request.days, .command = "keygen rotate"}, run.clock));
  std::vector<NewIdentity> identities;
  for (const ServerNames& one : names) {
    auto made = maker.make(one);
    if (!made) return fail(record_failed(identities, std::move(made).error(), run.clock));
    identities.push_back(std::move(*made));
  }
  return identities;
}

/// The folder of the certificates, to be changed. Nobody else changes it meanwhile.
Result<WholeFolder> open_folder(const Run& run) {
  WholeFolder folder = IMPRINT_TRY(WholeFolder::beside(run.folder(), kFolderMode));
  const Progress now = IMPRINT_TRY(progress_of(run.request.directory, run.tree.layout));
  if (now == run.progress) return folder;
  return fail(Code::busy,
              "another run has rotated these certificates just now; run the command again");
}

Result<> write_next(const Run& run, WholeFolder& folder, std::span<const NewIdentity> identities,
                    std::vector<crypto::Certificate> trusted) {
  for (const NewIdentity& identity : identities)
    trusted.insert(trusted.end(), identity.trust.begin(), identity.trust.end());
  const std::string pem = trust_pem(trusted);
  IMPRINT_TRY(folder.keep_all_but({run.trust()}));
  IMPRINT_TRY(folder.write(run.trust(), bytes_of(pem), kPublicMode));
  const auto places = certificate_places(run.tree.layout);
  for (std::size_t i = 0; i < places.size(); ++i) {
    IMPRINT_TRY(folder.write(run.in_folder(places[i], fs::path(kNextFolder) / kCertificateFile),
                             bytes_of(identities[i].certificate_pem), kPublicMode));
    IMPRINT_TRY(folder.write(run.in_folder(places[i], fs::path(kNextFolder) / kKeyFile),
                             identities[i].key_pem.view(), kPrivateMode));
  }
  IMPRINT_TRY(check_stop(run.request.stop));
  return folder.publish();
}

Result<> begin(const Run& run, RotateReport& report) {
  const auto pairs = IMPRINT_TRY(read_pairs(run.request.directory, run.tree.layout, {}));
  IMPRINT_TRY(check_days(run.request.days, run.clock.now()));
  IMPRINT_TRY(refuse_gap(run, pairs));
  IMPRINT_TRY(refuse_missing_ca(run, pairs));
  const auto names = IMPRINT_TRY(names_for(run, pairs));
  auto trusted = IMPRINT_TRY(read_trust(run.request.directory, run.tree.layout));
  IMPRINT_TRY(refuse_untrusted(run, pairs, trusted));
  WholeFolder folder = IMPRINT_TRY(open_folder(run));
  auto identities = IMPRINT_TRY(make_identities(run, names));
  Result<> written = write_next(run, folder, identities, std::move(trusted));
  if (!written) return fail(record_failed(identities, std::move(written).error(), run.clock));
  std::vector<fs::path> files;
  for (const CertificatePlace& place : certificate_places(run.tree.layout))
    files.push_back(run.request.directory / place.folder / kNextFolder / kCertificateFile);
  for (const NewIdentity& identity : identities)
    report.notes.insert(report.notes.end(), identity.notes.begin(), identity.notes.end());
  report.warnings = identities.front().warnings;
  return record_placed(identities, files, run.clock);
}

Result<> switch_to(const Run& run) {
  const TimePoint now = run.clock.now();
  const auto next = IMPRINT_TRY(read_pairs(run.request.directory, run.tree.layout, kNextFolder));
  for (const Pair& pair : next) {
    if (pair.own().not_before() <= now && now < pair.own().not_after()) continue;
    return fail(
        Code::invalid_input,
        fmt::format("{} is valid from {} to {}, not now; look at the clock, or begin anew "
                    "without it",
                    quoted(pair.certificate_file.string()), to_rfc3339(pair.own().not_before()),
                    to_rfc3339(pair.own().not_after())));
  }
  std::set<fs::path> moved;
  const auto places = certificate_places(run.tree.layout);
  for (const CertificatePlace& place : places) {
    for (const std::string_view file : {kCertificateFile, kKeyFile}) {
      moved.insert(run.in_folder(place, file));
    }
    moved.insert(run.in_folder(place, kNextFolder));
  }
  WholeFolder folder = IMPRINT_TRY(open_folder(run));
  IMPRINT_TRY(folder.keep_all_but(moved));
  for (const CertificatePlace& place : places) {
    for (const std::string_view file : {kCertificateFile, kKeyFile}) {
      const fs::path current = run.in_folder(place, file);
      IMPRINT_TRY(folder.keep(current, run.in_folder(place, fs::path(kOldFolder) / file)));
      IMPRINT_TRY(folder.keep(run.in_folder(place, fs::path(kNextFolder) / file), current));
    }
  }
  IMPRINT_TRY(check_stop(run.request.stop));
  return folder.publish();
}

Result<> finish(const Run& run) {
  const auto pairs = IMPRINT_TRY(read_pairs(run.request.directory, run.tree.layout, {}));
  const auto trusted = IMPRINT_TRY(read_trust(run.request.directory, run.tree.layout));
  const auto needed = trust_for(trusted, pairs);
  if (needed.empty()) {
    return fail(Code::invalid_input,
                fmt::format("nothing in {} is what the server's certificates can be verified with; "
                            "put their CA there",
                            quoted((run.folder() / run.trust()).string())));
  }
  const std::string pem = trust_pem(needed);
  std::set<fs::path> dropped = {run.trust()};
  for (const CertificatePlace& place : certificate_places(run.tree.layout))
    dropped.insert(run.in_folder(place, kOldFolder));
  WholeFolder folder = IMPRINT_TRY(open_folder(run));
  IMPRINT_TRY(folder.keep_all_but(dropped));
  IMPRINT_TRY(folder.write(run.trust(), bytes_of(pem), kPublicMode));
  IMPRINT_TRY(check_stop(run.request.stop));
  return folder.publish();
}

/// The step that leads on from where the tree is; a step that was done before leads nowhere.
Result<bool> take_step(const Run& run, RotateReport& report) {
  const RotateStep step = run.request.step;
  if (step == RotateStep::begin && run.progress == Progress::switched) {
    return fail(Code::invalid_input,
                "the rotation before this one is not finished: give --finish when all clients "
                "have the new 'server.crt' and the server runs with the new certificate");
  }
  if (step == RotateStep::switch_to && run.progress == Progress::steady) {
    return fail(Code::invalid_input,
                "no rotation has begun, there is nothing to switch to; begin one with 'imprint "
                "keygen rotate'");
  }
  if (step == RotateStep::finish && run.progress == Progress::begun) {
    return fail(Code::invalid_input,
                "the server still uses the old certificate; give --switch first, when all clients "
                "have the new 'server.crt'");
  }
  if (step == RotateStep::begin && run.progress == Progress::steady) {
    IMPRINT_TRY(begin(run, report));
    return true;
  }
  if (step == RotateStep::switch_to && run.progress == Progress::begun) {
    IMPRINT_TRY(switch_to(run));
    return true;
  }
  if (step == RotateStep::finish && run.progress == Progress::switched) {
    IMPRINT_TRY(finish(run));
    return true;
  }
  return false;
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

Result<> describe_begun(const Run& run, std::span<const Pair> pairs, RotateReport& report) {
  const TimePoint now = run.clock.now();
  const TimePoint end = end_of(pairs);
  const auto next = IMPRINT_TRY(read_pairs(run.request.directory, run.tree.layout, kNextFolder));
  place(next, report);
  report.notes.push_back(
      fmt::format("now: bring {} to all clients; it holds the old and the new trust",
                  (run.folder() / run.trust()).string()));
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

Result<> describe(const Run& run, RotateReport& report) {
  const Progress progress = IMPRINT_TRY(progress_of(run.request.directory, run.tree.layout));
  report.state = word(progress);
  if (!report.changed && run.request.step == RotateStep::begin)
    report.notes.emplace_back("this rotation had begun before");
  const auto pairs = IMPRINT_TRY(read_pairs(run.request.directory, run.tree.layout, {}));
  place(pairs, report);
  if (progress == Progress::begun) return describe_begun(run, pairs, report);
  if (progress == Progress::switched) {
    const auto old = IMPRINT_TRY(read_pairs(run.request.directory, run.tree.layout, kOldFolder));
    place(old, report);
    report.notes.emplace_back("now: restart the server's gateway, it has another certificate");
    report.notes.push_back(fmt::format(
        "at last, when all is well: {} drops the old certificate, which ends on {}, and {} can "
        "follow on the clients",
        rotate_command(run.request.directory, "--finish"), to_rfc3339(end_of(old)),
        (run.folder() / run.trust()).string()));
    return {};
  }
  report.notes.push_back(fmt::format("{}: the trust for what the server uses, until {}",
                                     (run.folder() / run.trust()).string(),
                                     to_rfc3339(end_of(pairs))));
  return {};
}

}  // namespace

Result<RotateReport> rotate_certificates(const CertificateRotation& request, const Clock& clock) {
  const Deployment tree = IMPRINT_TRY(read_tree(request.directory));
  const Progress progress = IMPRINT_TRY(progress_of(request.directory, tree.layout));
  const Run run{.request = request, .clock = clock, .tree = tree, .progress = progress};
  RotateReport report;
  report.changed = IMPRINT_TRY(take_step(run, report));
  // Also when nothing has changed: a kill may have come between the certificates and the texts.
  const std::vector<std::string> edited = IMPRINT_TRY(refresh_texts(run.tree));
  report.warnings.insert(report.warnings.end(), edited.begin(), edited.end());
  IMPRINT_TRY(describe(run, report));
  return report;
}

}  // namespace imprint::server
