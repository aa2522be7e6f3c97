#include "imprint/handshake/handshake.hpp"

#include <utility>

#include <fmt/format.h>

#include "answer.hpp"
#include "conversation.hpp"
#include "device.hpp"
#include "imprint/base/text.hpp"
#include "imprint/crypto/tls_client.hpp"
#include "verdict.hpp"

namespace imprint::handshake {

namespace {

/// Where to connect, and as whom the server has to prove itself.
struct Target {
  Endpoint endpoint;
  std::string server_name;
};

Result<Target> target_of(const Device& device, const Options& options) {
  Target target;
  if (options.edge) {
    target.endpoint = IMPRINT_TRY(parse_edge(*options.edge).context("--edge"));
  } else if (device.server_url) {
    target.endpoint = IMPRINT_TRY(
        endpoint_of_url(*device.server_url)
            .context(fmt::format("{}: the server's URL in mender.conf", device.roots.front())));
  } else {
    return fail(
        Code::invalid_input,
        fmt::format("{}: mender.conf names no server; say where it is with --edge HOST:PORT",
                    device.roots.front()));
  }
  target.server_name = target.endpoint.host;
  if (options.server_name)
    target.server_name =
        IMPRINT_TRY(parse_server_name(*options.server_name).context("--server-name"));
  return target;
}

Result<crypto::TlsClient> client_of(const Device& device, const std::string& server_name,
                                    Client client) {
  std::vector<crypto::Certificate> trusted = device.own_trust;
  trusted.insert(trusted.end(), device.system_trust.begin(), device.system_trust.end());
  const std::span<const crypto::Certificate> all = device.certificates;
  return crypto::TlsClient::make({.server_name = server_name,
                                  .certificates = client == Client::current ? all.first(1) : all,
                                  .key = device.key,
                                  .trusted = trusted,
                                  .verify_server = !device.skip_verify})
      .context(fmt::format("{}: the certificate {} cannot be used", device.roots.front(),
                           quoted(device.certificates.front().subject_text())));
}

/// HTTP's Host, as clients write it.
std::string host_header(const Target& target) {
  const Endpoint named{.host = target.server_name, .port = target.endpoint.port};
  const std::string text = named.text();
  return named.port == 443 ? text.substr(0, text.rfind(':')) : text;
}

Result<Report> connect(const Device& device, const Options& options) {
  const Target target = IMPRINT_TRY(target_of(device, options));
  crypto::TlsClient tls = IMPRINT_TRY(client_of(device, target.server_name, options.client));
  const Deadline deadline = std::chrono::steady_clock::now() + options.timeout;
  Socket socket = IMPRINT_TRY(Socket::connect(target.endpoint, deadline));
  const Ending ending = converse(tls, socket, harmless_request(host_header(target)), deadline);

  const crypto::TlsFacts& facts = tls.facts();
  Report report{.roots = device.roots,
                .server = target.endpoint.text(),
                .address = socket.address(),
                .server_name = target.server_name,
                .tls_version = facts.version,
                .cipher = facts.cipher,
                .server_certificate = std::nullopt,
                .verified_by = {},
                .asked = facts.certificate_requested,
                .asked_of = facts.requested_authorities,
                .identity = device.certificates.front(),
                .sent = facts.certificates_sent,
                .answer = {},
                .verdict = Verdict::refused,
                .reason = {},
                .warnings = device.warnings};
  if (!facts.server_chain.empty()) report.server_certificate = facts.server_chain.front();
  IMPRINT_TRY(
      judge(report, {.device = device, .facts = facts, .ending = ending, .now = options.now}));
  return report;
}

}  // namespace

std::string_view word(Verdict verdict) noexcept {
  switch (verdict) {
    case Verdict::accepted:
      return "accepted";
    case Verdict::refused:
      return "refused";
    case Verdict::not_asked:
      return "not asked";
    case Verdict::untrusted:
      return "server not trusted";
  }
  return "unknown";
}

Result<std::vector<Report>> shake_hands(std::vector<image::FileSystems::Root>& roots,
                                        const Options& options) {
  const std::vector<Device> devices = IMPRINT_TRY(devices_of(roots).context(quoted(options.image)));
  std::vector<Report> reports;
  for (const Device& device : devices)
    reports.push_back(IMPRINT_TRY(connect(device, options)));
  return reports;
}

}  // namespace imprint::handshake
