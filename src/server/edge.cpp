// The edge's bundle. The order is that of all issuing: everything that can be refused is refused
// first, then the certificate is made and the ledger knows it, then the files appear together.

#include "imprint/server/edge.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "bundle.hpp"
#include "edge_files.hpp"
#include "edge_lists.hpp"
#include "edge_server.hpp"
#include "edge_texts.hpp"
#include "env_values.hpp"
#include "imprint/base/folder_lock.hpp"
#include "imprint/base/text.hpp"
#include "imprint/manifest/server_url.hpp"
#include "revoked_map.hpp"
#include "tree_files.hpp"

namespace imprint::server {

namespace {

/// The reserved name tells whoever starts it that something is missing.
constexpr std::string_view kNoBackend = "https://mender-backend.invalid";
constexpr std::uint32_t kDefaultServerDays = 730;

Result<> check_listen(const std::string& listen) {
  const bool port_alone = listen.find(':') == std::string::npos;
  const Result<> judged =
      manifest::check_server_url("https://" + (port_alone ? "localhost:" + listen : listen));
  if (judged && listen.find('/') == std::string::npos) return {};
  return fail(Code::invalid_input,
              fmt::format("--listen {}: a port is expected, or ADDRESS:PORT", quoted(listen)));
}

Result<> check_backend(const std::string& backend) {
  // It stands in nginx's configuration and in files for docker, neither of which can quote it.
  constexpr std::string_view kOfTheirs = "$;'\"{} \t\r\n";
  if (const auto at = backend.find_first_of(kOfTheirs); at != std::string::npos) {
    return fail(Code::invalid_input,
                fmt::format("--backend {}: {} cannot stand in the URL, since nginx and docker take "
                            "it for their own; write it as %{:02X}",
                            quoted(backend), quoted(backend.substr(at, 1)),
                            static_cast<unsigned char>(backend[at])));
  }
  return manifest::check_server_url(backend).context(fmt::format("--backend {}", quoted(backend)));
}

// --- what a bundle that is replaced leaves to the next
// ---------------------------------------------------------------

/// What somebody has filled in, where imprint had left it open.
struct FilledIn {
  crypto::SecretBytes gateway;     ///< the whole file of variables; empty: none
  crypto::SecretBytes ambassador;  ///< likewise
  std::string backend;             ///< empty: none
};

Result<crypto::SecretBytes> read_if_there(const fs::path& file) {
  if (!IMPRINT_TRY(path_exists(file))) return crypto::SecretBytes();
  return read_secret(file);
}

Result<FilledIn> read_filled_in(const fs::path& directory) {
  FilledIn filled;
  filled.gateway = IMPRINT_TRY(read_if_there(directory / edge_file::kGateway));
  filled.ambassador = IMPRINT_TRY(read_if_there(directory / edge_file::kAmbassador));
  for (const std::string_view url : {env_value(filled.gateway.view(), "UPSTREAM_SERVER_URL"),
                                     env_value(filled.ambassador.view(), "MTLS_MENDER_BACKEND")}) {
    if (filled.backend.empty() && url != kNoBackend) filled.backend = url;
  }
  return filled;
}

/// A bundle that is to be replaced. While it lives nobody else changes it.
struct Before {
  FolderLock lock;
  WholeFolder folder;
  FilledIn filled;
};

Result<Before> open_before(const fs::path& directory) {
  FolderLock lock = IMPRINT_TRY(FolderLock::acquire(directory));
  WholeFolder folder = IMPRINT_TRY(WholeFolder::beside(directory, 0755));
  const auto names = edge_file_names();
  IMPRINT_TRY(folder.keep_all_but(std::set<fs::path>(names.begin(), names.end())));
  FilledIn filled = IMPRINT_TRY(read_filled_in(directory));
  return Before{std::move(lock), std::move(folder), std::move(filled)};
}

// --- the bundle
// ---------------------------------------------------------------------------------

/// One run: what is known when the certificate is made.
struct Run {
  const EdgeRequest& request;
  const DeviceCa& ca;
  std::optional<Before> before;   ///< there is a bundle to be replaced
  std::vector<std::string> kept;  ///< of it
};

Result<std::string> backend_of(Run& run, EdgeReport& report) {
  std::string backend = run.request.backend;
  if (backend.empty() && run.before) {
    backend = run.before->filled.backend;
    const std::string file = quoted((run.request.directory / edge_file::kGateway).string());
    if (!backend.empty()) {
      IMPRINT_TRY(check_backend(backend).context("the backend that was filled in at " + file));
      run.kept.push_back(fmt::format("the backend {}", quoted(backend)));
    }
  }
  if (backend.empty()) {
    report.notes.push_back(fmt::format(
        "no --backend: the files name {}, to be replaced by the Mender server's", kNoBackend));
    return std::string(kNoBackend);
  }
  if (backend.starts_with("http://")) {
    report.warnings.push_back(
        fmt::format("--backend {} is not encrypted: only within one machine", quoted(backend)));
  }
  while (backend.ends_with('/'))
    backend.pop_back();
  return backend;
}

/// With the credentials of the bundle before, if there are any.
EdgeFile environment(const char* name, const std::string& text, ByteView before,
                     std::vector<std::string>& kept) {
  std::vector<std::string> variables;
  EdgeFile file{.name = name, .mode = 0600, .text = {}};
  file.secret = with_filled_in(text, before, variables);
  if (!variables.empty()) kept.push_back(fmt::format("{} of {}", fmt::join(variables, ", "), name));
  return file;
}

Result<> write(Run& run, const std::string& backend, ServerFiles server, const Lists& lists,
               EdgeReport& report) {
  EdgeSettings settings;
  settings.backend = backend;
  settings.listen = run.request.listen;
  settings.authorities = run.ca.certificates.size();
  // nginx asks for a CRL of every CA in the chain, and here is that of one.
  settings.crl = !lists.crl.empty() && settings.authorities == 1;
  const auto text = [](const char* name, std::string content, unsigned mode = 0644) {
    return EdgeFile{.name = name, .mode = mode, .text = std::move(content)};
  };
  std::vector<EdgeFile> files = pair_files(std::move(server));
  files.push_back(text(edge_file::kCa, run.ca.pem()));
  files.push_back(text(edge_file::kBlacklist, lists.blacklist));
  files.push_back(text(edge_file::kMap, revoked_map(lists.blacklist)));
  if (!lists.crl.empty()) files.push_back(text(edge_file::kCrl, lists.crl));
  files.push_back(text(edge_file::kNginx, nginx_configuration(settings)));
  files.push_back(text(edge_file::kRunNginx, nginx_script(), 0755));
  files.push_back(text(edge_file::kRunGateway, gateway_script(settings), 0755));
  files.push_back(text(edge_file::kRunAmbassador, ambassador_script(settings), 0755));
  const ByteView gateway = run.before ? run.before->filled.gateway.view() : ByteView();
  const ByteView ambassador = run.before ? run.before->filled.ambassador.view() : ByteView();
  files.push_back(
      environment(edge_file::kGateway, gateway_environment(settings), gateway, run.kept));
  files.push_back(
      environment(edge_file::kAmbassador, ambassador_environment(settings), ambassador, run.kept));
  if (!run.before) return write_edge(run.request.directory, files, report);
  IMPRINT_TRY(
      replace_edge(run.request.directory, std::move(run.before->folder), files, run.kept, report));
  report_kept(run.kept, report);
  return {};
}

/// With a certificate that is there already.
Result<> make_with_given(Run& run, EdgeReport& report, const Clock& clock) {
  GivenPair pair = IMPRINT_TRY(take_given(run.request, run.ca, report, clock));
  const std::string backend = IMPRINT_TRY(backend_of(run, report));
  const Lists lists = IMPRINT_TRY(make_lists(run.request.devices, run.ca, report, clock));
  return write(run, backend,
               {.certificates = std::move(pair.chain_pem), .key = std::move(pair.key)}, lists,
               report);
}

Result<> make_with_issued(Run& run, EdgeReport& report, const Clock& clock) {
  const EdgeRequest& request = run.request;
  const std::string backend = IMPRINT_TRY(backend_of(run, report));
  pipeline::ServerIdentity identity =
      IMPRINT_TRY(issue_server(request, {request.common_name, request.alt_names},
                               request.days.value_or(kDefaultServerDays), run.ca, report, clock));
  const auto rest = [&]() -> Result<> {
    ServerFiles server = IMPRINT_TRY(files_of(identity));
    const Lists lists = IMPRINT_TRY(make_lists(request.devices, run.ca, report, clock));
    return write(run, backend, std::move(server), lists, report);
  };
  if (Result<> made = rest(); !made) return fail(identity.failed(std::move(made).error(), clock));
  return identity.placed(request.directory / edge_file::kServerCertificate, clock);
}

}  // namespace

Result<EdgeReport> make_edge(const EdgeRequest& request, const Clock& clock) {
  EdgeReport report;
  IMPRINT_TRY(check_listen(request.listen));
  if (!request.replace) {
    IMPRINT_TRY(refuse_existing(request.directory, edge_file_names(),
                                "use --refresh to renew the lists of revoked certificates, --renew "
                                "to renew the server's certificate, --force to replace all, or "
                                "choose another folder with --out"));
  }
  IMPRINT_TRY(has_ledger(request.devices));
  const DeviceCa ca = IMPRINT_TRY(open_ca(request.devices, clock.now(), report.warnings));
  if (!request.backend.empty()) IMPRINT_TRY(check_backend(request.backend));
  Run run{.request = request, .ca = ca, .before = std::nullopt, .kept = {}};
  if (request.replace && IMPRINT_TRY(path_exists(request.directory))) {
    run.before.emplace(IMPRINT_TRY(open_before(request.directory)));
    IMPRINT_TRY(keep_revocations(request.directory, request.devices, ca, clock));
  }
  if (!ca.opened)
    report.notes.push_back("the CA's key is not there: no devices.crl.pem, only the blacklist");
  IMPRINT_TRY(request.certificate ? make_with_given(run, report, clock)
                                  : make_with_issued(run, report, clock));
  return report;
}

}  // namespace imprint::server
