#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "imprint/base/clock.hpp"
#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"
#include "imprint/server/keygen.hpp"

/// Keys and certificates of a tree that keygen has made are followed by others, without a moment in
/// which somebody is locked out.
namespace imprint::server {

/// Steps of a rotation. Each says, when it has been done already, that it has, and changes nothing.
enum class RotateStep {
  begin,      ///< the next pair is made, and clients get to know it
  switch_to,  ///< certificates only: the server uses it
  finish,     ///< the old one goes
};

struct RotateReport {
  std::string state;  ///< `steady`, `begun`, `switched`
  bool changed = false;
  std::vector<PlacedCertificate> certificates;  ///< those the server may use, and what is next
  std::vector<std::string> notes;  ///< what has happened, and what is to be done until when
  std::vector<std::string> warnings;
};

struct CertificateRotation {
  fs::path directory = "keys-generated";
  RotateStep step = RotateStep::begin;
  std::vector<ServerNames> servers;   ///< empty: the names of the certificates that are there
  std::optional<std::uint32_t> days;  ///< none: kDefaultDays
  std::optional<CaChoice> ca;         ///< has to be given when a CA signed the one that is there
  bool force = false;                 ///< makes the next one also when the old one has ended
  const std::atomic<bool>* stop = nullptr;  ///< Code::cancelled when it is set before all is made
};

/// The server's certificates, all of the tree together.
///  begin: `next/` below each gets the next pair, with a new key, and `server.crt` holds the trust
///  for both, the old first, and nothing else. Refuses a gap: the old has to be valid when the new
///  begins, and the new has to outlast it. Done again it looks whether that is still so, and
///  refuses settings that the next pair does not have. switch_to: looks, too; the pairs change
///  places; the old is in `old/`, `server.crt` stays. finish: `old/` goes, and `server.crt` holds
///  the trust for what is left.
/// Every step changes the folder of the certificates as a whole, then the deployment texts; a rerun
/// does what a kill in between has left undone. A pair that does not belong together is refused.
/// New files belong to the owner of those they follow; where they could not be given away, a note
/// says what root has to do.
[[nodiscard]] Result<RotateReport> rotate_certificates(const CertificateRotation& request,
                                                       const Clock& clock);

/// Tokens are accepted for so long at most with the servers' default settings
/// (DEVICEAUTH_JWT_EXP_TIMEOUT, USERADM_JWT_EXP_TIMEOUT: 604800).
inline constexpr std::chrono::hours kTokenLifetime{7 * 24};

struct ServiceKeyRotation {
  fs::path directory = "keys-generated";
  Service service{};
  RotateStep step = RotateStep::begin;      ///< begin or finish
  std::optional<crypto::KeyKind> kind;      ///< none: that of the key that is there
  bool force = false;                       ///< finishes before the old tokens have expired
  const std::atomic<bool>* stop = nullptr;  ///< Code::cancelled when it is set before all is made
};

/// The key with which a service signs tokens.
///  begin: `private.id.N.pem` beside the old key, N being one more than the highest there is. From
///  the service's restart on it signs; the old one still verifies.
///  finish: only the newest key stays; refused until the tokens of the old have expired, counted
///  from when the new one was made.
/// The deployment texts say where both are.
[[nodiscard]] Result<RotateReport> rotate_service_key(const ServiceKeyRotation& request,
                                                      const Clock& clock);

}  // namespace imprint::server
