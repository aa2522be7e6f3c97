#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "imprint/authority/authority.hpp"
#include "imprint/base/clock.hpp"
#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/certificate.hpp"
#include "imprint/crypto/key.hpp"
#include "imprint/server/deployment.hpp"
#include "imprint/server/layout.hpp"
#include "imprint/server/names.hpp"

/// The Mender server's own keys and certificates, as Mender's `keygen` makes them.
namespace imprint::server {

/// Ten years, as keygen has it.
inline constexpr std::uint32_t kDefaultDays = 3650;

/// A CA that signs the server's certificates, and where that is recorded.
struct CaChoice {
  authority::AuthoritySource authority;
  fs::path ledger;
};

struct KeygenRequest {
  fs::path directory = "keys-generated";
  Layout layout = Layout::current;
  std::vector<ServerNames> servers;  ///< for each of certificate_places(layout), in that order
  std::uint32_t days = kDefaultDays;
  crypto::KeyKind service_key = crypto::KeyKind::rsa_3072;
  std::optional<CaChoice> ca;  ///< none: each certificate is self-signed
  ServerVersion server_version = ServerVersion::v3_1;
  bool force = false;
  const std::atomic<bool>* stop = nullptr;  ///< Code::cancelled when it is set before all is made
};

/// A certificate that is in a file.
struct PlacedCertificate {
  fs::path file;
  crypto::Certificate certificate;
};

struct KeygenReport {
  std::vector<PlacedCertificate> certificates;
  std::vector<fs::path> service_keys;
  fs::path trust;                ///< server.crt
  std::vector<fs::path> others;  ///< deployment texts
  std::vector<std::string> notes;
  std::vector<std::string> warnings;
};

/// Makes the tree: private keys 0600, certificates 0644 (behind each the CAs between it and its
/// root), `server.crt`, and the deployment texts (deployment.hpp). All of it or nothing, however
/// the process ends.
///
/// Code::exists names the first file that is there already. With `force` all files of the tree are
/// made anew, what a rotation has left included, and nothing else in the folder is touched; the
/// warnings say what no longer works. A tree of the other layout is refused in any case.
[[nodiscard]] Result<KeygenReport> keygen(const KeygenRequest& request, const Clock& clock);

}  // namespace imprint::server
