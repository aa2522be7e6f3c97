// The edge's bundle. The order is that of all issuing: everything that can be refused is refused
// first, then the certificate is made and the ledger knows it, then the files appear together.

#include "imprint/server/edge.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "bundle.hpp"
#include "edge_texts.hpp"
#include "given_pair.hpp"
#include "imprint/authority/describe.hpp"
#include "imprint/base/text.hpp"
#include "imprint/crypto/secret.hpp"
#include "imprint/manifest/server_url.hpp"
#include "imprint/pipeline/issue.hpp"
#include "imprint/pipeline/revocation.hpp"
#include "lost_revocations.hpp"
#include "revoked_map.hpp"

namespace imprint::server {

namespace {

using crypto::Certificate;

constexpr const char* kCrlName = "devices.crl.pem";
constexpr const char* kBlacklistName = "blacklist";
constexpr const char* kMapName = "revoked.map";

/// The reserved name tells whoever starts it that something is missing.
constexpr std::string_view kNoBackend = "https://mender-backend.invalid";

// --- the CA and its lists
// ----------------------------------------------------------------------------

/// The devices' CA, and those above it.
struct DeviceCa {
  std::optional<authority::Authority> opened;
  std::vector<Certificate> certificates;

  [[nodiscard]] bool reaches_root() const { return certificates.back().is_self_signed(); }

  [[nodiscard]] std::string pem() const {
    std::string text;
    for (const Certificate& certificate : certificates)
      text += certificate.to_pem();
    return text;
  }
};

Result<DeviceCa> open_ca(const EdgeAuthority& devices, TimePoint now,
                         std::vector<std::string>& warnings) {
  DeviceCa ca;
  if (devices.signs) {
    ca.opened = IMPRINT_TRY(authority::Authority::open(devices.source, now));
    ca.certificates.push_back(ca.opened->certificate());
    ca.certificates.insert(ca.certificates.end(), ca.opened->chain().begin(),
                           ca.opened->chain().end());
    warnings.assign(ca.opened->warnings().begin(), ca.opened->warnings().end());
  } else {
    const auto described = IMPRINT_TRY(authority::describe(devices.source, now));
    ca.certificates.push_back(described.certificate);
    ca.certificates.insert(ca.certificates.end(), described.chain.begin(), described.chain.end());
    warnings = described.warnings;
  }
  if (!ca.reaches_root()) {
    warnings.push_back(fmt::format(
        "ca.crt does not reach a root: {} is not self-signed, and nginx lets nobody in then; put "
        "the certificates above it into the CA's chain file",
        quoted(ca.certificates.back().subject_text())));
  }
  return ca;
}

Result<bool> has_ledger(const EdgeAuthority& devices) {
  std::error_code ignored;
  if (fs::exists(devices.ledger, ignored)) return true;
  if (!devices.ledger_named) return false;
  return fail(Code::not_found,
              fmt::format("there is no ledger {}: without the right one the lists of revoked "
                          "certificates would be empty (a batch writes it into its output folder)",
                          quoted(devices.ledger.string())));
}

struct Lists {
  std::string blacklist;
  std::string crl;  ///< empty: none
};

crypto::ByteSink into(std::string& text) {
  return [&text](ByteView bytes) -> Result<> {
    text += text_of(bytes);
    return {};
  };
}

pipeline::CrlRequest list_request(const EdgeAuthority& devices, const DeviceCa& ca,
                                  pipeline::CrlFormat format) {
  pipeline::CrlRequest request;
  request.ledger = devices.ledger;
  request.authority = devices.source;
  request.opened = ca.opened ? &*ca.opened : nullptr;
  request.format = format;
  request.days = devices.crl_days;
  return request;
}

void report_crl(const pipeline::CrlReport& crl, EdgeReport& report) {
  report.crl_next_update = crl.next_update;
  for (const std::string& warning : crl.warnings) {
    if (std::ranges::find(report.warnings, warning) == report.warnings.end())
      report.warnings.push_back(warning);
  }
}

/// Before anything is replaced: the list that is there may be from another ledger.
Result<> keep_revocations(const fs::path& directory, const EdgeAuthority& devices,
                          const DeviceCa& ca, const Clock& clock) {
  std::string blacklist;
  if (IMPRINT_TRY(has_ledger(devices))) {
    IMPRINT_TRY(pipeline::write_revocations(
        list_request(devices, ca, pipeline::CrlFormat::blacklist), clock, into(blacklist)));
  }
  return refuse_lost_revocations(directory / kBlacklistName, blacklist, devices.ledger);
}

Result<Lists> make_lists(const EdgeAuthority& devices, const DeviceCa& ca, EdgeReport& report,
                         const Clock& clock) {
  Lists lists;
  if (!IMPRINT_TRY(has_ledger(devices))) {
    report.notes.push_back(
        fmt::format("there is no ledger {}: nothing is revoked", quoted(devices.ledger.string())));
    return lists;
  }
  const auto blacklist = IMPRINT_TRY(pipeline::write_revocations(
      list_request(devices, ca, pipeline::CrlFormat::blacklist), clock, into(lists.blacklist)));
  report.revoked = blacklist.entries;
  if (!ca.opened) return lists;
  const auto crl = IMPRINT_TRY(pipeline::write_revocations(
      list_request(devices, ca, pipeline::CrlFormat::pem), clock, into(lists.crl)));
  report_crl(crl, report);
  return lists;
}

// --- the server's certificate
// ------------------------------------------------------------------------

/// What the server shows, from whatever source.
struct ServerFiles {
  std::string certificates;  ///< its own, then those that clients need beside it
  crypto::SecretBytes key;
};

Result<pipeline::ServerIdentity> issue(const EdgeRequest& request, const DeviceCa& ca,
                                       const Clock& clock) {
  pipeline::ServerIdentityRequest wished;
  wished.common_name = request.common_name;
  wished.alt_names = request.alt_names;
  wished.days = request.days;
  wished.ledger = request.devices.ledger;
  wished.command = "edge";
  return pipeline::issue_server_identity(*ca.opened, wished, clock);
}

Result<ServerFiles> files_of(const pipeline::ServerIdentity& identity) {
  ServerFiles files{.certificates = identity.certificate.to_pem(),
                    .key = IMPRINT_TRY(identity.key.to_pem())};
  for (const Certificate& above : identity.above) {
    if (!above.is_self_signed()) files.certificates += above.to_pem();
  }
  return files;
}

void report_server(const Certificate& certificate, EdgeReport& report) {
  report.server_subject = certificate.subject_text();
  report.server_not_after = certificate.not_after();
}

// --- the bundle
// --------------------------------------------------------------------------------------

const std::array<std::string, 12> kNames = {"server.key",
                                            "server.crt",
                                            "ca.crt",
                                            kBlacklistName,
                                            kMapName,
                                            kCrlName,
                                            "nginx.conf",
                                            "run-nginx.sh",
                                            "mender-gateway.env",
                                            "run-mender-gateway.sh",
                                            "mtls-ambassador.env",
                                            "run-mtls-ambassador.sh"};

EdgeSettings settings_of(const EdgeRequest& request, const DeviceCa& ca, bool crl) {
  EdgeSettings settings;
  settings.backend = request.backend.empty() ? std::string(kNoBackend) : request.backend;
  while (settings.backend.ends_with('/'))
    settings.backend.pop_back();
  settings.listen = request.listen;
  settings.authorities = ca.certificates.size();
  // nginx asks for a CRL of every CA in the chain, and here is that of one.
  settings.crl = crl && ca.certificates.size() == 1;
  return settings;
}

Result<> write(const EdgeRequest& request, const DeviceCa& ca, const ServerFiles& server,
               const Lists& lists, EdgeReport& report) {
  const EdgeSettings settings = settings_of(request, ca, !lists.crl.empty());
  const std::array<std::string, 9> texts = {
      ca.pem(),
      revoked_map(lists.blacklist),
      nginx_configuration(settings),
      nginx_script(),
      gateway_environment(settings),
      gateway_script(settings),
      ambassador_environment(settings),
      ambassador_script(settings),
      server.certificates,
  };
  std::vector<BundleFile> files = {
      {kNames[0], server.key.view(), 0600},  {kNames[1], bytes_of(texts[8]), 0644},
      {kNames[2], bytes_of(texts[0]), 0644}, {kNames[3], bytes_of(lists.blacklist), 0644},
      {kNames[4], bytes_of(texts[1]), 0644}, {kNames[6], bytes_of(texts[2]), 0644},
      {kNames[7], bytes_of(texts[3]), 0755}, {kNames[8], bytes_of(texts[4]), 0600},
      {kNames[9], bytes_of(texts[5]), 0755}, {kNames[10], bytes_of(texts[6]), 0600},
      {kNames[11], bytes_of(texts[7]), 0755}};
  if (!lists.crl.empty()) files.push_back({kNames[5], bytes_of(lists.crl), 0644});
  for (const BundleFile& file : files)
    report.files.push_back(request.directory / file.name);
  return request.replace ? write_whole(request.directory, kNames, files)
                         : write_new(request.directory, files);
}

Result<> check_listen(const std::string& listen) {
  const bool port_alone = listen.find(':') == std::string::npos;
  const Result<> judged =
      manifest::check_server_url("https://" + (port_alone ? "localhost:" + listen : listen));
  if (judged && listen.find('/') == std::string::npos) return {};
  return fail(Code::invalid_input,
              fmt::format("--listen {}: a port is expected, or ADDRESS:PORT", quoted(listen)));
}

Result<> check_backend(const EdgeRequest& request, EdgeReport& report) {
  if (request.backend.empty()) {
    report.notes.push_back(fmt::format(
        "no --backend: the files name {}, to be replaced by the Mender server's", kNoBackend));
    return {};
  }
  // It stands in nginx's configuration and in files for docker, neither of which can quote it.
  constexpr std::string_view kOfTheirs = "$;'\"{} \t\r\n";
  if (const auto at = request.backend.find_first_of(kOfTheirs); at != std::string::npos) {
    return fail(Code::invalid_input,
                fmt::format("--backend {}: {} cannot stand in the URL, since nginx and docker take "
                            "it for their own; write it as %{:02X}",
                            quoted(request.backend), quoted(request.backend.substr(at, 1)),
                            static_cast<unsigned char>(request.backend[at])));
  }
  IMPRINT_TRY(manifest::check_server_url(request.backend)
                  .context(fmt::format("--backend {}", quoted(request.backend))));
  if (request.backend.starts_with("http://")) {
    report.warnings.push_back(fmt::format("--backend {} is not encrypted: only within one machine",
                                          quoted(request.backend)));
  }
  return {};
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

/// With a certificate that is there already.
Result<> make_with_given(const EdgeRequest& request, const DeviceCa& ca, EdgeReport& report,
                         const Clock& clock) {
  GivenPair pair = IMPRINT_TRY(
      read_given_pair(*request.certificate, *request.key, clock.now(), report.warnings));
  IMPRINT_TRY(refuse_key_of_ca(request, pair.certificate, ca));
  report_server(pair.certificate, report);
  const Lists lists = IMPRINT_TRY(make_lists(request.devices, ca, report, clock));
  return write(request, ca, {.certificates = std::move(pair.chain_pem), .key = std::move(pair.key)},
               lists, report);
}

Result<> make_with_issued(const EdgeRequest& request, const DeviceCa& ca, EdgeReport& report,
                          const Clock& clock) {
  pipeline::ServerIdentity identity = IMPRINT_TRY(issue(request, ca, clock));
  report_server(identity.certificate, report);
  report.notes.insert(report.notes.end(), identity.notes.begin(), identity.notes.end());
  // Those of the CA are told already.
  for (const std::string& warning : identity.warnings) {
    if (std::ranges::find(report.warnings, warning) == report.warnings.end())
      report.warnings.push_back(warning);
  }
  const auto rest = [&]() -> Result<> {
    const ServerFiles server = IMPRINT_TRY(files_of(identity));
    const Lists lists = IMPRINT_TRY(make_lists(request.devices, ca, report, clock));
    return write(request, ca, server, lists, report);
  };
  if (Result<> made = rest(); !made) return fail(identity.failed(std::move(made).error(), clock));
  return identity.placed(request.directory / "server.crt", clock);
}

}  // namespace

Result<EdgeReport> make_edge(const EdgeRequest& request, const Clock& clock) {
  EdgeReport report;
  IMPRINT_TRY(check_listen(request.listen));
  if (!request.replace) {
    IMPRINT_TRY(refuse_existing(request.directory, kNames,
                                "use --refresh to renew the lists of revoked certificates, --force "
                                "to replace all, or choose another folder with --out"));
  }
  IMPRINT_TRY(has_ledger(request.devices));
  const DeviceCa ca = IMPRINT_TRY(open_ca(request.devices, clock.now(), report.warnings));
  IMPRINT_TRY(check_backend(request, report));
  if (request.replace) IMPRINT_TRY(keep_revocations(request.directory, request.devices, ca, clock));
  if (!ca.opened)
    report.notes.push_back("the CA's key is not there: no devices.crl.pem, only the blacklist");
  IMPRINT_TRY(request.certificate ? make_with_given(request, ca, report, clock)
                                  : make_with_issued(request, ca, report, clock));
  return report;
}

Result<EdgeReport> refresh_edge(const fs::path& directory, const EdgeAuthority& devices,
                                const Clock& clock) {
  EdgeReport report;
  std::error_code ignored;
  if (!fs::exists(directory / kBlacklistName, ignored)) {
    return fail(Code::not_found, fmt::format("{} holds no bundle to refresh: make it with 'imprint "
                                             "edge' without --refresh",
                                             quoted(directory.string())));
  }
  EdgeAuthority named = devices;
  named.ledger_named = true;  // empty lists would let everybody in again
  IMPRINT_TRY(has_ledger(named));
  const DeviceCa ca = IMPRINT_TRY(open_ca(devices, clock.now(), report.warnings));
  const bool had_crl = fs::exists(directory / kCrlName, ignored);
  if (had_crl && !ca.opened) {
    return fail(Code::not_found,
                fmt::format("{} needs the CA's key, which is not there: refresh where it is",
                            quoted((directory / kCrlName).string())));
  }
  IMPRINT_TRY(keep_revocations(directory, devices, ca, clock));
  const auto remake = [&](const char* name, pipeline::CrlFormat format) {
    report.files.push_back(directory / name);
    return pipeline::write_revocations(list_request(devices, ca, format), clock, directory / name);
  };
  // The CRL first: of all three it is what can fail, and then they stay what they were.
  if (ca.opened) {
    const auto crl = IMPRINT_TRY(remake(kCrlName, pipeline::CrlFormat::pem));
    report_crl(crl, report);
  }
  const auto blacklist = IMPRINT_TRY(remake(kBlacklistName, pipeline::CrlFormat::blacklist));
  report.revoked = blacklist.entries;
  const Bytes serials = IMPRINT_TRY(read_file(directory / kBlacklistName));
  IMPRINT_TRY(
      write_file_atomic(directory / kMapName, bytes_of(revoked_map(text_of(serials))), 0644));
  report.files.push_back(directory / kMapName);
  return report;
}

}  // namespace imprint::server
