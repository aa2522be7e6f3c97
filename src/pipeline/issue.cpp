// Certificates that go to files: for a device whose key lives elsewhere, and for servers. The order
// is that of a batch: everything checked, then the ledger, then what can be seen.

#include "imprint/pipeline/issue.hpp"

#include "imprint/authority/describe.hpp"
#include "issue_order.hpp"
#include "issue_record.hpp"
#include "one_device.hpp"
#include "profile_spec.hpp"

namespace imprint::pipeline {

using authority::Authority;
using ledger::Purpose;

Result<authority::NewCa> make_ca(authority::CaInit request, const std::optional<fs::path>& ledger,
                                 const Clock& clock) {
  std::optional<IssueRecord> record;
  if (request.parent && ledger) {
    const auto parent = IMPRINT_TRY(authority::read_ca_certificate(*request.parent));
    request.before_writing = [&, parent](const crypto::Certificate& made) -> Result<> {
      record = IMPRINT_TRY(IssueRecord::begin({.ledger = *ledger,
                                               .command = "ca init",
                                               .id = made.common_name(),
                                               .purpose = Purpose::authority},
                                              made, parent, clock));
      return {};
    };
  }
  auto ca = authority::ca_init(request, clock);
  if (!record) return ca;
  if (!ca) return fail(record->failed(std::move(ca).error(), clock));
  IMPRINT_TRY(record->placed(ca->certificate, clock));
  return ca;
}

Result<IssueReport> issue_device(const DeviceRequest& request, const Clock& clock) {
  InjectRequest device_of;
  device_of.id = request.id;
  device_of.manifest = request.manifest;
  manifest::Manifest manifest = IMPRINT_TRY(inject_manifest(device_of));
  if (request.key) manifest.identity.key = *request.key;
  if (request.days) manifest.identity.validity.not_after = *request.days;
  OneDevice device = IMPRINT_TRY(expand_one(manifest, request.id, request.variables));
  const Authority authority = IMPRINT_TRY(Authority::open(request.authority, clock.now()));
  // With --days the end is not the manifest's to mend.
  const auto manifest_file = request.days ? std::nullopt : request.manifest;
  auto profile = device_profile(manifest.identity, authority, clock.now(), manifest_file);
  auto described =
      IMPRINT_TRY(manifest_file ? std::move(profile) : std::move(profile).context("--days"));
  return issue({.authority = authority,
                .target = request.target,
                .purpose = Purpose::device,
                .id = request.id,
                .stem = request.id,
                .profile = std::move(described.spec),
                .slots = std::move(device.slots),
                .identity_data = std::move(device.identity_data),
                .notes = std::move(described.notes),
                .warnings = std::move(described.warnings)},
               "ca issue-device", clock);
}

}  // namespace imprint::pipeline
