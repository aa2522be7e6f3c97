// A service's next key. useradm keeps all keys of its folder by number and names the number in its
// tokens; deviceauth knows two, the one that signs and a fallback. One old key at a time is
// therefore as many as both can do with, and a rotation is finished before the next one.

#include <algorithm>
#include <sys/stat.h>

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "imprint/base/whole_folder.hpp"
#include "imprint/server/rotate.hpp"
#include "imprint/server/service_key.hpp"
#include "imprint/server/texts.hpp"
#include "pair.hpp"
#include "successors.hpp"
#include "tree_files.hpp"

namespace imprint::server {

namespace {

const ServiceKeys& keys_of(const Deployment& tree, Service service) {
  return *std::ranges::find_if(
      tree.services, [service](const ServiceKeys& keys) { return keys.service == service; });
}

fs::path path_of(const Deployment& tree, Service service, unsigned id) {
  return tree.directory / service_folder(service) / service_key_file(id);
}

Result<TimePoint> written_at(const fs::path& path) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0)
    return fail(system_error("reading the time of " + quoted(path.string())));
  return TimePoint(std::chrono::seconds(status.st_mtim.tv_sec));
}

/// What is to be done, and from when on, while there are two keys.
Result<std::vector<std::string>> pending(const Deployment& tree, Service service) {
  const ServiceKeys& keys = keys_of(tree, service);
  const fs::path newest = path_of(tree, service, keys.ids.back());
  const fs::path before = path_of(tree, service, keys.ids.at(keys.ids.size() - 2));
  const TimePoint made = IMPRINT_TRY(written_at(newest));
  std::vector<std::string> notes = {
      fmt::format("{}: signs from the restart of {} with the new deployment files on",
                  newest.string(), word(service))};
  for (const unsigned id : keys.ids) {
    if (id == keys.ids.back()) continue;
    notes.push_back(fmt::format(
        "{}: still verifies; drop it with {} when its tokens have expired, a week after the "
        "restart: not before {}",
        path_of(tree, service, id).string(),
        rotate_command(tree.directory, fmt::format("--service {} --finish", word(service))),
        to_rfc3339(made + kTokenLifetime)));
  }
  const Owner owner = IMPRINT_TRY(owner_of(before));
  const Successor successor{newest, owner};
  const auto of_owner = IMPRINT_TRY(chown_notes({&successor, 1}));
  notes.insert(notes.end(), of_owner.begin(), of_owner.end());
  return notes;
}

Result<> begin(const ServiceKeyRotation& request, const Deployment& tree) {
  const unsigned last = keys_of(tree, request.service).ids.back();
  const fs::path newest = path_of(tree, request.service, last);
  const auto present = IMPRINT_TRY(service_key_kind_in(newest));
  const Owner owner = IMPRINT_TRY(owner_of(newest));
  WholeFolder folder = IMPRINT_TRY(
      WholeFolder::beside(tree.directory / service_folder(request.service), kFolderMode));
  // Nobody else makes one from here on, but somebody may have since we looked.
  const auto ids = IMPRINT_TRY(service_key_ids(tree.directory, request.service));
  if (ids.back() != last)
    return fail(Code::busy, "another run has rotated this key just now; run the command again");
  const auto key = IMPRINT_TRY(crypto::PrivateKey::generate(request.kind.value_or(present)));
  const auto pem = IMPRINT_TRY(service_key_pem(key));
  IMPRINT_TRY(folder.keep_all_but({}));
  IMPRINT_TRY(folder.write(service_key_file(last + 1), pem.view(), kPrivateMode, owner));
  IMPRINT_TRY(check_stop(request.stop));
  return folder.publish();
}

/// A rerun of the first step that asks for another key than the one that is there.
Result<> refuse_other_kind(const ServiceKeyRotation& request, const Deployment& tree) {
  if (!request.kind) return {};
  const fs::path newest = path_of(tree, request.service, keys_of(tree, request.service).ids.back());
  const crypto::KeyKind kind = IMPRINT_TRY(service_key_kind_in(newest));
  if (kind == *request.kind) return {};
  return fail(
      Code::invalid_input,
      fmt::format("--service-key {}: the next key, {}, is there already, and is of the kind "
                  "{}; leave the option out, or remove that key to make another one",
                  name(*request.kind), quoted(newest.string()), name(kind)));
}

Result<> refuse_early(const ServiceKeyRotation& request, const Deployment& tree, TimePoint now) {
  const unsigned last = keys_of(tree, request.service).ids.back();
  const fs::path newest = path_of(tree, request.service, last);
  IMPRINT_TRY(service_key_kind_in(newest));  // what stays has to be a key
  const TimePoint made = IMPRINT_TRY(written_at(newest));
  if (request.force || now >= made + kTokenLifetime) return {};
  return fail(Code::invalid_input,
              fmt::format("{} was made on {}, and tokens that the key before it signed are valid "
                          "for a week after the restart of {}; finish on {} or later, or give "
                          "--force",
                          quoted(newest.string()), to_rfc3339(made), word(request.service),
                          to_rfc3339(made + kTokenLifetime)));
}

Result<> finish(const ServiceKeyRotation& request, const Deployment& tree) {
  std::set<fs::path> dropped;
  const std::vector<unsigned>& ids = keys_of(tree, request.service).ids;
  for (const unsigned id : ids) {
    if (id != ids.back()) dropped.insert(service_key_file(id));
  }
  WholeFolder folder = IMPRINT_TRY(
      WholeFolder::beside(tree.directory / service_folder(request.service), kFolderMode));
  IMPRINT_TRY(folder.keep_all_but(dropped));
  IMPRINT_TRY(check_stop(request.stop));
  return folder.publish();
}

void warn_of_dropped(Service service, RotateReport& report) {
  if (service != Service::useradm) return;
  report.warnings.emplace_back(
      "personal access tokens that the old key signed are invalid when useradm restarts: their "
      "users have to make new ones");
}

}  // namespace

Result<RotateReport> rotate_service_key(const ServiceKeyRotation& request, const Clock& clock) {
  Deployment tree = IMPRINT_TRY(read_tree(request.directory));
  RotateReport report;
  const bool two_keys = keys_of(tree, request.service).ids.size() > 1;
  report.changed = two_keys == (request.step == RotateStep::finish);
  if (!report.changed && two_keys) IMPRINT_TRY(refuse_other_kind(request, tree));
  if (report.changed && !two_keys) IMPRINT_TRY(begin(request, tree));
  if (report.changed && two_keys) {
    IMPRINT_TRY(refuse_early(request, tree, clock.now()));
    IMPRINT_TRY(finish(request, tree));
    warn_of_dropped(request.service, report);
  }
  tree = IMPRINT_TRY(read_tree(request.directory));
  // Also when nothing has changed: a kill may have come between the keys and the texts.
  const std::vector<std::string> edited = IMPRINT_TRY(refresh_texts(tree));
  report.warnings.insert(report.warnings.end(), edited.begin(), edited.end());
  if (keys_of(tree, request.service).ids.size() > 1) {
    report.state = "begun";
    if (!report.changed) report.notes.emplace_back("this rotation had begun before");
    const std::vector<std::string> notes = IMPRINT_TRY(pending(tree, request.service));
    report.notes.insert(report.notes.end(), notes.begin(), notes.end());
    return report;
  }
  report.state = "steady";
  const unsigned last = keys_of(tree, request.service).ids.back();
  report.notes.push_back(
      fmt::format("{}: the only key of {}{}", path_of(tree, request.service, last).string(),
                  word(request.service), report.changed ? " now" : ", no rotation has begun"));
  return report;
}

}  // namespace imprint::server
