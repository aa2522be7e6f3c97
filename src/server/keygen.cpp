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
#include "successors.hpp"
#include "tree_files.hpp"

namespace imprint::server {

namespace {

/// A tree of the other layout would be left half in use.
Result<> refuse_other_layout(const KeygenRequest& request) {
  const Layout other = request.layout == Layout::classic ? Layout::current : Layout::classic;
  const fs::path folder = request.directory / certificates_folder(other);
  const bool there = IMPRINT_TRY(is_there(folder));
  if (!there) return {};
  return fail(Code::exists,
              fmt::format("{} belongs to the layout '{}'; give --layout {}, or choose another "
                          "folder with --out",
                          quoted(folder.string()), word(other), word(other)));
}

/// The files that are there already, and whom they belong to.
using Existing = std::map<fs::path, std::optional<Owner>>;

Result<Existing> existing_files(const KeygenRequest& request) {
  Existing existing;
  const auto files = IMPRINT_TRY(tree_paths(request.directory, request.layout));
  for (const fs::path& file : files) {
    const fs::path path = request.directory / file;
    const bool there = IMPRINT_TRY(is_there(path));
    if (!there) continue;
    auto owner = owner_of(path);
    // Not found: a link that leads nowhere.
    if (!owner && owner.error().code != Code::not_found) return fail(std::move(owner).error());
    existing[file] = owner ? std::optional(*owner) : std::nullopt;
  }
  if (existing.empty() || request.force) return existing;
  return fail(Code::exists,
              fmt::format("{} exists and is not overwritten; choose another folder with --out, "
                          "renew with 'imprint keygen rotate', or give --force to make all keys "
                          "and certificates anew",
                          quoted((request.directory / existing.begin()->first).string())));
}

/// What is below a link is not in the folder that is made in one step.
Result<> refuse_links(const KeygenRequest& request) {
  std::set<fs::path> folders;
  for (const CertificatePlace& place : certificate_places(request.layout))
    folders.insert(place.folder);
  for (const Service service : kServices)
    folders.insert(service_folder(service));
  for (const fs::path& folder : std::set<fs::path>(folders))
    folders.insert(folder.parent_path());
  folders.erase(fs::path());
  for (const fs::path& folder : folders) {
    const fs::path path = request.directory / folder;
    std::error_code ignored;  // existing_files has looked there
    const fs::file_type type = fs::symlink_status(path, ignored).type();
    if (type == fs::file_type::not_found || type == fs::file_type::directory) continue;
    return fail(Code::invalid_input,
                fmt::format("{} is {}, and keygen makes the whole tree in one step: put a folder "
                            "in its place, or choose another folder with --out",
                            quoted(path.string()),
                            type == fs::file_type::symlink ? "a symbolic link" : "no folder"));
  }
  return {};
}

/// What nobody can see from the files: who is left out in the cold.
std::vector<std::string> warnings_of_replacement(const KeygenRequest& request,
                                                 const Existing& existing) {
  std::vector<std::string> warnings;
  const auto replaces = [&existing](const fs::path& folder) {
    return std::ranges::any_of(
        existing, [&](const auto& entry) { return entry.first.parent_path() == folder; });
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

/// The owner of the file that is replaced.
std::optional<Owner> owner_before(const Existing& existing, const fs::path& file) {
  const auto found = existing.find(file);
  return found == existing.end() ? std::nullopt : found->second;
}

Result<> write(const KeygenRequest& request, WholeFolder& folder, const PlannedFiles& files,
               const Existing& replaced) {
  std::set<fs::path> left_out = IMPRINT_TRY(leftovers(request.directory, request.layout));
  for (const auto& [file, owner] : replaced)
    left_out.insert(file);
  IMPRINT_TRY(folder.keep_all_but(left_out));
  for (const auto& [file, planned] : files) {
    IMPRINT_TRY(
        folder.write(file, planned.content.view(), planned.mode, owner_before(replaced, file)));
  }
  return folder.publish();
}

Result<std::vector<std::string>> notes_of_owners(const KeygenRequest& request,
                                                 const PlannedFiles& files,
                                                 const Existing& replaced) {
  std::vector<Successor> successors;
  for (const auto& [file, planned] : files) {
    if (const auto owner = owner_before(replaced, file))
      successors.push_back({request.directory / file, *owner});
  }
  return chown_notes(successors);
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

Result<KeygenReport> keygen(const KeygenRequest& request, const Clock& clock) {
  IMPRINT_TRY(refuse_other_layout(request));
  IMPRINT_TRY(existing_files(request));
  IMPRINT_TRY(refuse_links(request));
  IMPRINT_TRY(check_days(request.days, clock.now()));
  WholeFolder folder = IMPRINT_TRY(WholeFolder::beside(request.directory, kFolderMode));
  // Nobody else makes these files from here on, but somebody may have since we looked.
  const Existing replaced = IMPRINT_TRY(existing_files(request));
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
  if (written) written = write(request, folder, planned, replaced);
  if (!written) return fail(record_failed(identities, std::move(written).error(), clock));
  IMPRINT_TRY(record_placed(identities, files, clock));

  KeygenReport report = report_of(request, identities, std::move(files));
  for (std::string& warning : warnings_of_replacement(request, replaced))
    report.warnings.push_back(std::move(warning));
  const auto notes = IMPRINT_TRY(notes_of_owners(request, planned, replaced));
  report.notes.insert(report.notes.end(), notes.begin(), notes.end());
  return report;
}

}  // namespace imprint::server
