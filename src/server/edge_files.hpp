#pragma once

#include <span>
#include <string>
#include <vector>

#include "imprint/base/whole_folder.hpp"
#include "imprint/crypto/secret.hpp"
#include "imprint/server/edge.hpp"

namespace imprint::server {

/// The files of a bundle.
namespace edge_file {

inline constexpr const char* kServerKey = "server.key";
inline constexpr const char* kServerCertificate = "server.crt";
inline constexpr const char* kCa = "ca.crt";
inline constexpr const char* kBlacklist = "blacklist";
inline constexpr const char* kMap = "revoked.map";
inline constexpr const char* kCrl = "devices.crl.pem";
inline constexpr const char* kNginx = "nginx.conf";
inline constexpr const char* kRunNginx = "run-nginx.sh";
inline constexpr const char* kGateway = "mender-gateway.env";
inline constexpr const char* kRunGateway = "run-mender-gateway.sh";
inline constexpr const char* kAmbassador = "mtls-ambassador.env";
inline constexpr const char* kRunAmbassador = "run-mtls-ambassador.sh";

}  // namespace edge_file

/// All of them: of a bundle that is replaced, none stays.
[[nodiscard]] std::span<const std::string> edge_file_names();

/// A file that is to be written: a text that everybody may know, or a secret.
struct EdgeFile {
  std::string name;
  unsigned mode = 0644;
  std::string text;
  crypto::SecretBytes secret = {};

  [[nodiscard]] ByteView content() const { return secret.empty() ? bytes_of(text) : secret.view(); }
};

/// The server's certificate, its own and then those that clients need beside it, and its key.
struct ServerFiles {
  std::string certificates;
  crypto::SecretBytes key;
};

/// As files; the key is taken.
[[nodiscard]] std::vector<EdgeFile> pair_files(ServerFiles server);

/// Into a folder that has none of them: all or none.
[[nodiscard]] Result<> write_edge(const fs::path& directory, std::span<const EdgeFile> files,
                                  EdgeReport& report);

/// In the place of those of a bundle, in one step. What became of their owners goes to the report:
/// to `kept` and the warnings.
[[nodiscard]] Result<> replace_edge(const fs::path& directory, WholeFolder folder,
                                    std::span<const EdgeFile> files, std::vector<std::string>& kept,
                                    EdgeReport& report);

/// One note of all that was kept.
void report_kept(const std::vector<std::string>& kept, EdgeReport& report);

}  // namespace imprint::server
