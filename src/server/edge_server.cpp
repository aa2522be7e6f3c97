#include "edge_server.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "imprint/base/text.hpp"

namespace imprint::server {

namespace {

using crypto::Certificate;

void report_server(const Certificate& certificate, EdgeReport& report) {
  report.server_subject = certificate.subject_text();
  report.server_not_after = certificate.not_after();
}

/// A certificate without basicConstraints does not say that its key is a CA's.
Result<> refuse_key_of_ca(const EdgeRequest& request, const Certificate& server,
                          const DeviceCa& ca) {
  const Bytes key = server.public_key_der();
  const auto has_it = [&key](const Certificate& each) { return each.public_key_der() == key; };
  if (std::ranges::none_of(ca.certificates, has_it)) return {};
  return fail(Code::invalid_input,
              fmt::format("--key {}: is the key of the devices' CA or of one above it, which has "
                          "no place on a server",
                          quoted(request.key->string())));
}

}  // namespace

Result<pipeline::ServerIdentity> issue_server(const EdgeRequest& request, const EdgeNames& names,
                                              std::uint32_t days, const DeviceCa& ca,
                                              EdgeReport& report, const Clock& clock) {
  pipeline::ServerIdentityRequest wished;
  wished.common_name = names.common_name;
  wished.alt_names = names.alt_names;
  wished.days = days;
  wished.ledger = request.devices.ledger;
  wished.command = "edge";
  auto identity = IMPRINT_TRY(pipeline::issue_server_identity(*ca.opened, wished, clock));
  report_server(identity.certificate, report);
  report.notes.insert(report.notes.end(), identity.notes.begin(), identity.notes.end());
  add_new(identity.warnings, report.warnings);
  return identity;
}

Result<ServerFiles> files_of(const pipeline::ServerIdentity& identity) {
  ServerFiles files;
  files.key = IMPRINT_TRY(identity.key.to_pem());
  files.certificates = identity.certificate.to_pem();
  for (const Certificate& above : identity.above) {
    if (!above.is_self_signed()) files.certificates += above.to_pem();
  }
  return files;
}

Result<GivenPair> take_given(const EdgeRequest& request, const DeviceCa& ca, EdgeReport& report,
                             const Clock& clock) {
  GivenPair pair = IMPRINT_TRY(
      read_given_pair(*request.certificate, *request.key, clock.now(), report.warnings));
  IMPRINT_TRY(refuse_key_of_ca(request, pair.certificate, ca));
  report_server(pair.certificate, report);
  return pair;
}

}  // namespace imprint::server
