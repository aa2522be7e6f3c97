// imprint keygen, in the order of a transaction: what can be refused is; then keys and certificates
// in memory, known to the CA's ledger; then the folder in one step; then the ledger again.

#include "imprint/server/keygen.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "identity.hpp"
#include "imprint/base/text.hpp"
#include "imprint/base/whole_folder.hpp"
#include "imprint/server/service_key.hpp"
#include "imprint/server/tree.hpp"
#include "leftovers.hpp"
#include "tree_files.hpp"

namespace imprint::server {

namespace {

/// A tree of the other layout would be left half in use.
Result<> refuse_other_layout(const KeygenRequest& request) {
  const Layout other = request.layout == Layout::classic ? Layout::current : Layout::classic;
  std::error_code ignored;
  const fs::path folder = request.directory / certificates_folder(other);
  if (!fs::exists(fs::symlink_status(folder, ignored))) return {};
  return fail(Code::exists,
              fmt::format("{} belongs to the layout '{}'; give --layout {}, or choose another "
                          "folder with --out",
                          quoted(folder.string()), word(other), word(other)));
}

Result<> refuse_existing(const KeygenRequest& request, const std::set<fs::path>& files) {
  std::error_code ignored;
  for (const fs::path& file : files) {
    const fs::path path = request.directory / file;
    if (!fs::exists(fs::symlink_status(path, ignored))) continue;
    return fail(Code::exists,
                fmt::format("{} exists and is not overwritten; choose another folder with --out, "
                            "renew with 'imprint keygen rotate', or give --force to make all keys "
                            "and certificates anew",
                            quoted(path.string())));
  }
  return {};
}

/// What nobody can see from the files: who is left out in the cold.
std::vector<std::string> warnings_of_replacement(const KeygenRequest& request,
                                                 const std::set<fs::path>& existing) {
  std::vector<std::string> warnings;
  const auto replaces = [&existing](const fs::path& folder) {
    return std::ranges::any_of(existing,
                               [&](const fs::path& file) { return file.parent_path() == folder; });
  };
  if (replaces(service_folder(Service::deviceauth))) {
    warnings.emplace_back(
        "the key of deviceauth is another now: every token of a device is invalid, and devices "
        "fetch new ones");
  }
  if (replaces(service_folder(Service::useradm))) {
    warnings.emplace_back(
        "the key of useradm is another now: all users are logged out, and personal access tokens "
        "are invalid for good");
  }
  const auto& places = certificate_places(request.layout);
  if (std::ranges::any_of(places, [&](const CertificatePlace& place) {
        return replaces(fs::path(place.folder));
      })) {
    warnings.emplace_back(
        "the server's certificates are others now: devices that trust only the old ones cannot "
        "connect");
  }
  return warnings;
}

Result<> plan_service_keys(PlannedFiles& files, const KeygenRequest& request) {
  for (const Service service : kServices) {
    IMPRINT_TRY(check_stop(request.stop));
    const auto key = IMPRINT_TRY(crypto::PrivateKey::generate(request.service_key));
    auto pem = IMPRINT_TRY(service_key_pem(key));
    plan_private(files, service_folder(service) / service_key_file(0), std::move(pem));
  }
  return {};
}

void plan_certificates(PlannedFiles& files, Layout layout,
                       std::span<const NewIdentity> identities) {
  std::vector<crypto::Certificate> trust;
  const auto places = certificate_places(layout);
  for (std::size_t i = 0; i < identities.size(); ++i) {
    const fs::path folder(places[i].folder);
    plan_public(files, folder / kCertificateFile, identities[i].certificate_pem);
    plan_private(files, folder / kKeyFile, crypto::SecretBytes(identities[i].key_pem.view()));
    trust.insert(trust.end(), identities[i].trust.begin(), identities[i].trust.end());
  }
  plan_public(files, trust_file(layout), trust_pem(trust));
}

Result<> write(WholeFolder& folder, const PlannedFiles& files, const std::set<fs::path>& replaced) {
  IMPRINT_TRY(folder.keep_all_but(replaced));
  for (const auto& [file, planned] : files)
    IMPRINT_TRY(folder.write(file, planned.content.view(), planned.mode));
  return folder.publish();
}

/// Everything but the folder itself.
Result<> plan(const KeygenRequest& request, std::span<const NewIdentity> identities,
              PlannedFiles& files) {
  plan_certificates(files, request.layout, identities);
  IMPRINT_TRY(plan_service_keys(files, request));
  const Deployment deployment{.directory = request.directory,
                              .layout = request.layout,
                              .services = {{Service::deviceauth, {0}}, {Service::useradm, {0}}}};
  IMPRINT_TRY(plan_texts(files, deployment, request.server_version));
  return check_stop(request.stop);
}

KeygenReport report_of(const KeygenRequest& request, std::span<const NewIdentity> identities,
                       std::vector<fs::path> certificate_files) {
  KeygenReport report;
  for (std::size_t i = 0; i < identities.size(); ++i) {
    report.certificates.push_back({std::move(certificate_files[i]), identities[i].certificate});
    for (const std::string& note : identities[i].notes)
      report.notes.push_back(note);
  }
  // Those of the CA are the same for every certificate.
  report.warnings = identities.front().warnings;
  for (const Service service : kServices) {
    report.service_keys.push_back(request.directory / service_folder(service) /
                                  service_key_file(0));
  }
  report.trust = request.directory / trust_file(request.layout);
  report.others = {request.directory / kComposeFile, request.directory / kHelmFile};
  return report;
}

}  // namespace

namespace {

/// What is there already of a tree.
std::set<fs::path> existing(const KeygenRequest& request, const std::set<fs::path>& files) {
  std::set<fs::path> found;
  std::error_code ignored;
  for (const fs::path& file : files) {
    if (fs::exists(fs::symlink_status(request.directory / file, ignored))) found.insert(file);
  }
  return found;
}

}  // namespace

Result<KeygenReport> keygen(const KeygenRequest& request, const Clock& clock) {
  IMPRINT_TRY(refuse_other_layout(request));
  if (!request.force)
    IMPRINT_TRY(refuse_existing(request, tree_paths(request.directory, request.layout)));
  IMPRINT_TRY(check_days(request.days, clock.now()));
  WholeFolder folder = IMPRINT_TRY(WholeFolder::beside(request.directory, kFolderMode));
  // Nobody else makes these files from here on, but somebody may have since we looked.
  const std::set<fs::path> known = tree_paths(request.directory, request.layout);
  if (!request.force) IMPRINT_TRY(refuse_existing(request, known));
  const std::set<fs::path> replaced = existing(request, known);
  const IdentityMaker maker = IMPRINT_TRY(
      IdentityMaker::open({.ca = request.ca, .days = request.days, .command = "keygen"}, clock));

  std::vector<NewIdentity> identities;
  std::vector<fs::path> files;
  for (const CertificatePlace& place : certificate_places(request.layout)) {
    auto made = maker.make(request.servers.at(identities.size()));
    if (!made) return fail(record_failed(identities, std::move(made).error(), clock));
    identities.push_back(std::move(*made));
    files.push_back(request.directory / place.folder / kCertificateFile);
  }
  PlannedFiles planned;
  Result<> written = plan(request, identities, planned);
  std::set<fs::path> left_out = leftovers(request.directory, request.layout);
  left_out.insert(replaced.begin(), replaced.end());
  if (written) written = write(folder, planned, left_out);
  if (!written) return fail(record_failed(identities, std::move(written).error(), clock));
  IMPRINT_TRY(record_placed(identities, files, clock));

  KeygenReport report = report_of(request, identities, std::move(files));
  for (std::string& warning : warnings_of_replacement(request, replaced))
    report.warnings.push_back(std::move(warning));
  return report;
}

}  // namespace imprint::server
