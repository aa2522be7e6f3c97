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
#include "imprint/server/texts.hpp"
#include "rotation.hpp"
#include "tree_files.hpp"

namespace imprint::server {

fs::path Run::folder() const {
  return request.directory / certificates_folder(tree.layout);
}

fs::path Run::trust() const {
  return trust_file(tree.layout).filename();
}

fs::path Run::in_folder(const CertificatePlace& place, const fs::path& name) const {
  return (fs::path(place.folder) / name).lexically_relative(certificates_folder(tree.layout));
}

Result<std::vector<Pair>> Run::pairs(std::string_view below) const {
  return read_pairs(request.directory, tree.layout, below);
}

namespace {

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
      {.ca = run.request.ca, .days = run.days(), .command = "keygen rotate"}, run.clock));
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

/// Whom the file belongs to that one of this name follows: server.crt the certificates, in a tree
/// that had none.
Result<Owner> owner_before(const Run& run, const fs::path& name) {
  const fs::path path = run.folder() / name;
  const bool there = IMPRINT_TRY(is_there(path));
  if (there) return owner_of(path);
  const CertificatePlace& first = certificate_places(run.tree.layout).front();
  return owner_of(run.folder() / run.in_folder(first, kCertificateFile));
}

/// `trust` is the PEM of server.crt.
Result<> write_next(const Run& run, WholeFolder& folder, std::span<const NewIdentity> identities,
                    const std::string& trust) {
  IMPRINT_TRY(folder.keep_all_but({run.trust()}));
  const Owner owner = IMPRINT_TRY(owner_before(run, run.trust()));
  IMPRINT_TRY(folder.write(run.trust(), bytes_of(trust), kPublicMode, owner));
  const auto places = certificate_places(run.tree.layout);
  for (std::size_t i = 0; i < places.size(); ++i) {
    const fs::path certificate = run.in_folder(places[i], kCertificateFile);
    const Owner of_certificate = IMPRINT_TRY(owner_before(run, certificate));
    IMPRINT_TRY(folder.write(run.in_folder(places[i], fs::path(kNextFolder) / kCertificateFile),
                             bytes_of(identities[i].certificate_pem), kPublicMode, of_certificate));
    const Owner of_key = IMPRINT_TRY(owner_before(run, run.in_folder(places[i], kKeyFile)));
    IMPRINT_TRY(folder.write(run.in_folder(places[i], fs::path(kNextFolder) / kKeyFile),
                             identities[i].key_pem.view(), kPrivateMode, of_key));
  }
  IMPRINT_TRY(check_stop(run.request.stop));
  return folder.publish();
}

/// The old first, which the server still shows.
std::string trust_of_both(std::vector<crypto::Certificate> old,
                          std::span<const NewIdentity> identities,
                          std::span<const crypto::Certificate> trusted) {
  for (const NewIdentity& identity : identities)
    old.insert(old.end(), identity.trust.begin(), identity.trust.end());
  old.insert(old.end(), trusted.begin(), trusted.end());
  return trust_pem(old);
}

Result<> begin(const Run& run, RotateReport& report) {
  const auto pairs = IMPRINT_TRY(run.pairs());
  IMPRINT_TRY(check_days(run.days(), run.clock.now()));
  IMPRINT_TRY(refuse_gap(run, pairs));
  IMPRINT_TRY(refuse_missing_ca(run, pairs));
  const auto names = IMPRINT_TRY(names_for(run, pairs));
  const auto trusted = IMPRINT_TRY(read_trust(run.request.directory, run.tree.layout));
  IMPRINT_TRY(refuse_untrusted(run, pairs, trusted));
  IMPRINT_TRY(refuse_strangers(run, pairs, trusted));
  WholeFolder folder = IMPRINT_TRY(open_folder(run));
  auto identities = IMPRINT_TRY(make_identities(run, names));
  const std::string trust = trust_of_both(trust_for(trusted, pairs), identities, trusted);
  Result<> written = write_next(run, folder, identities, trust);
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
  const auto next = IMPRINT_TRY(run.pairs(kNextFolder));
  for (const Pair& pair : next) {
    if (pair.own().not_before() <= now && now < pair.own().not_after()) continue;
    return fail(
        Code::invalid_input,
        fmt::format("{} is valid from {} to {}, not now; look at the clock, or begin anew "
                    "without it",
                    quoted(pair.certificate_file.string()), to_rfc3339(pair.own().not_before()),
                    to_rfc3339(pair.own().not_after())));
  }
  IMPRINT_TRY(check_trust_of_both(run));
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
  const auto pairs = IMPRINT_TRY(run.pairs());
  const auto trusted = IMPRINT_TRY(read_trust(run.request.directory, run.tree.layout));
  IMPRINT_TRY(refuse_untrusted(run, pairs, trusted));
  const std::string pem = trust_pem(trust_for(trusted, pairs));
  std::set<fs::path> dropped = {run.trust()};
  for (const CertificatePlace& place : certificate_places(run.tree.layout))
    dropped.insert(run.in_folder(place, kOldFolder));
  WholeFolder folder = IMPRINT_TRY(open_folder(run));
  IMPRINT_TRY(folder.keep_all_but(dropped));
  const Owner owner = IMPRINT_TRY(owner_before(run, run.trust()));
  IMPRINT_TRY(folder.write(run.trust(), bytes_of(pem), kPublicMode, owner));
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
  if (step == RotateStep::begin && run.progress == Progress::begun) {
    IMPRINT_TRY(refuse_other_settings(run));
    IMPRINT_TRY(check_trust_of_both(run));
    return false;
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
