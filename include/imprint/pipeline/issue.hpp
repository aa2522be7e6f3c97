#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "imprint/authority/authority.hpp"
#include "imprint/authority/ca_init.hpp"
#include "imprint/base/clock.hpp"
#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/certificate.hpp"
#include "imprint/crypto/key.hpp"

/// One certificate at a time, to files. Recorded in the ledger like those of a batch.
namespace imprint::pipeline {

/// Where what is issued goes, and whose key it is for.
struct IssueTarget {
  fs::path directory = ".";  ///< made when missing
  fs::path ledger;
  /// The key to certify: a public key or a certificate request, PEM or DER. None: a new key pair is
  /// made and its private half written beside the certificate.
  std::optional<fs::path> public_key;
};

struct DeviceRequest {
  authority::AuthoritySource authority;
  IssueTarget target;
  std::string id;
  /// What the certificate is like; none: CN={id}, P-256, 3650 days.
  std::optional<fs::path> manifest;
  std::vector<std::pair<std::string, std::string>> variables;  ///< of the manifest's templates
  std::optional<crypto::KeyKind> key;                          ///< of a new key, over the manifest
  std::optional<std::uint32_t> days;                           ///< over the manifest
};

struct ServerRequest {
  authority::AuthoritySource authority;
  IssueTarget target;
  std::string common_name;
  /// `DNS:name`, `IP:address`, or either without the word. The common name is added when it is a
  /// host name or address: clients look at nothing else than these.
  std::vector<std::string> alt_names;
  std::optional<crypto::KeyKind> key;  ///< of a new key; P-256
  std::uint32_t days = 730;
};

struct IssueReport {
  fs::path certificate;         ///< 0644; a server's is followed by the CAs below the root
  std::optional<fs::path> key;  ///< 0600
  crypto::Certificate parsed;
  std::vector<std::string> notes;
  std::vector<std::string> warnings;
};

/// authority::ca_init; an intermediate is recorded in the parent's ledger when there is to be one.
[[nodiscard]] Result<authority::NewCa> make_ca(authority::CaInit request,
                                               const std::optional<fs::path>& ledger,
                                               const Clock& clock);

/// A device's certificate in `ID.crt`, its key in `ID.key`. Verified before it is written; never
/// overwrites; on failure no file is left and the ledger has the certificate as failed.
[[nodiscard]] Result<IssueReport> issue_device(const DeviceRequest& request, const Clock& clock);

/// A server's in `NAME.crt` and `NAME.key`, NAME being its common name with `_` for `*`.
[[nodiscard]] Result<IssueReport> issue_server(const ServerRequest& request, const Clock& clock);

/// A server's key and certificate that are in no file yet, for a caller with files of his own. The
/// ledger has the certificate as issued and is told what becomes of it; told nothing, it keeps it
/// so, as after a kill.
class ServerIdentity {
 public:
  class Record;

  ServerIdentity(crypto::PrivateKey new_key, crypto::Certificate issued,
                 std::unique_ptr<Record> record);
  ServerIdentity(ServerIdentity&&) noexcept;
  ServerIdentity& operator=(ServerIdentity&&) noexcept;
  ServerIdentity(const ServerIdentity&) = delete;
  ServerIdentity& operator=(const ServerIdentity&) = delete;
  ~ServerIdentity();

  crypto::PrivateKey key;
  crypto::Certificate certificate;         ///< verified
  std::vector<crypto::Certificate> above;  ///< its CA and those above, as far as they are known
  std::vector<std::string> notes;
  std::vector<std::string> warnings;

  /// `file` holds the certificate and can be seen.
  Result<> placed(const fs::path& file, const Clock& clock);
  /// The error to go on with: this one, and that of the ledger when it could not be told.
  [[nodiscard]] Error failed(Error why, const Clock& clock);

 private:
  std::unique_ptr<Record> record_;
};

struct ServerIdentityRequest {
  std::string common_name;             ///< as in ServerRequest
  std::vector<std::string> alt_names;  ///< as in ServerRequest
  std::uint32_t days = 3650;
  fs::path ledger;
  std::string command;  ///< what the ledger says of the run
};

/// What issue_server does, but to memory, for a new P-256 key and by an authority that is open: its
/// passphrase is asked for once, however many certificates are wanted.
[[nodiscard]] Result<ServerIdentity> issue_server_identity(const authority::Authority& authority,
                                                           const ServerIdentityRequest& request,
                                                           const Clock& clock);

}  // namespace imprint::pipeline
