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
  /// Validity of that certificate; none: 730 days, or as long as the one that is renewed.
  std::optional<std::uint32_t> days;
  std::optional<fs::path> certificate;
  std::optional<fs::path> key;
  /// URL of the Mender server; empty: that of the bundle that is replaced, or left to be filled in.
  std::string backend;
  std::string listen = "443";  ///< where devices connect: PORT or ADDRESS:PORT
  bool replace = false;
};

struct EdgeReport {
  std::vector<fs::path> files;
  std::string server_subject;  ///< empty after a refresh
  TimePoint server_not_after;
  std::optional<std::uint64_t> revoked;      ///< none after a renewal, which makes no lists
  std::optional<TimePoint> crl_next_update;  ///< none: no CRL
  std::vector<std::string> notes;
  std::vector<std::string> warnings;
};

/// Writes the bundle, all of it or nothing: server.crt, server.key (0600), ca.crt, blacklist,
/// devices.crl.pem, and configuration and start script of mender-gateway, mtls-ambassador and
/// nginx. What is there is Code::exists unless it is to be replaced. A certificate that is issued
/// is in the ledger, as failed when the bundle could not be written. Of a bundle that is replaced
/// stay the values that were filled in (credentials, backend) and the owners of its files, as far
/// as we may give them away; a note says what has.
[[nodiscard]] Result<EdgeReport> make_edge(const EdgeRequest& request, const Clock& clock);

/// Replaces server.crt and server.key of a bundle, together, and nothing else: with a new key and a
/// certificate of the devices' CA for the same names, or with the pair that the request has.
/// Code::not_found when there is no bundle; Code::invalid_input when the bundle's certificate is
/// not one that make_edge had issued, by this CA and ledger, and none is given.
[[nodiscard]] Result<EdgeReport> renew_edge(const EdgeRequest& request, const Clock& clock);

/// Makes the lists of revoked certificates of a bundle anew, each as a whole; nothing else is
/// touched. Code::not_found when there is no bundle.
[[nodiscard]] Result<EdgeReport> refresh_edge(const fs::path& directory,
                                              const EdgeAuthority& devices, const Clock& clock);

}  // namespace imprint::server
