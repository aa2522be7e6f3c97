#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "imprint/authority/authority.hpp"
#include "imprint/base/clock.hpp"
#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"

/// The mutual-TLS edge: the server that devices with certificates talk to, in front of Mender's.
namespace imprint::server {

/// The CA of the devices, and what is known of its certificates.
struct EdgeAuthority {
  authority::AuthoritySource source;
  /// Its key can be used. Without it there is no CRL, and the server's certificate has to be given.
  bool signs = true;
  fs::path ledger;
  bool ledger_named = false;  ///< the user named it, so that it has to be there
  std::uint32_t crl_days = 30;
};

struct EdgeRequest {
  fs::path directory = "edge";
  EdgeAuthority devices;
  /// The server's names, for a certificate of the devices' CA; or a certificate (with its chain)
  /// and key that are there already.
  std::string common_name;
  std::vector<std::string> alt_names;
  std::uint32_t days = 730;
  std::optional<fs::path> certificate;
  std::optional<fs::path> key;
  std::string backend;         ///< URL of the Mender server; empty: left to be filled in
  std::string listen = "443";  ///< where devices connect: PORT or ADDRESS:PORT
  bool replace = false;
};

struct EdgeReport {
  std::vector<fs::path> files;
  std::string server_subject;  ///< empty after a refresh
  TimePoint server_not_after;
  std::uint64_t revoked = 0;
  std::optional<TimePoint> crl_next_update;  ///< none: no CRL
  std::vector<std::string> notes;
  std::vector<std::string> warnings;
};

/// Writes the bundle, all of it or nothing: server.crt, server.key (0600), ca.crt, blacklist,
/// devices.crl.pem, and configuration and start script of mender-gateway, mtls-ambassador and
/// nginx. What is there is Code::exists unless it is to be replaced. A certificate that is issued
/// is in the ledger, as failed when the bundle could not be written.
[[nodiscard]] Result<EdgeReport> make_edge(const EdgeRequest& request, const Clock& clock);

/// Makes the lists of revoked certificates of a bundle anew, each as a whole; nothing else is
/// touched. Code::not_found when there is no bundle.
[[nodiscard]] Result<EdgeReport> refresh_edge(const fs::path& directory,
                                              const EdgeAuthority& devices, const Clock& clock);

}  // namespace imprint::server
