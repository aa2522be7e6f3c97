#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "support/process.hpp"
#include "support/temp_dir.hpp"

namespace imprint::accept {

/// A Mender server's device authentication on a free port of 127.0.0.1 (device_auth.py), to be
/// behind an edge; ended when it goes out of scope.
class DeviceAuth {
 public:
  /// `key` signs the tokens: deviceauth's, of `imprint keygen`. `preauthorized` is the export of
  /// the ledger, read anew for each request. A server that does not come up is a test failure.
  DeviceAuth(const std::filesystem::path& key, const std::filesystem::path& preauthorized);

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

  /// How a request was answered.
  struct Decision {
    std::string path;
    std::string serial;    ///< of the client certificate, lower case hexadecimal
    std::string identity;  ///< its `id`; only of authorization requests
    std::string key;       ///< kind: `ec:secp256r1`, `rsa:3072`, `ed25519`
    std::string device;    ///< who was accepted, or whose token it was
    std::string reason;    ///< why it was refused; empty when it was not
    int status = 0;        ///< of HTTP
  };

  /// All so far, in order.
  [[nodiscard]] std::vector<Decision> decisions() const;

  /// Authorization requests in the name of a device that had this outcome.
  [[nodiscard]] std::vector<Decision> authorizations(std::string_view id, int status) const;

  /// Whether the device was accepted and has done with its token what a client does: sent its
  /// inventory and asked for a deployment.
  [[nodiscard]] bool works(std::string_view id) const;

  /// What it has written beside its decisions: nothing when all is well.
  [[nodiscard]] std::string log() const;

 private:
  imprint::test::TempDir dir_;
  std::uint16_t port_ = 0;
  std::unique_ptr<imprint::test::Process> process_;
};

}  // namespace imprint::accept

#define IMPRINT_NEED_DEVICE_AUTH()                                                        \
  if (imprint::test::run_command({"python3", "-c", "import cryptography"}).status != 0) { \
    GTEST_SKIP() << "needs python3 with cryptography (package python3-cryptography)";     \
  }                                                                                       \
  static_assert(true, "")
