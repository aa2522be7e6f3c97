#pragma once

#include <optional>
#include <string>
#include <vector>

#include "imprint/base/result.hpp"
#include "imprint/crypto/certificate.hpp"
#include "imprint/crypto/key.hpp"
#include "imprint/image/file_systems.hpp"

namespace imprint::handshake {

/// What the client of one rootfs has: its identity, its server, and whom it trusts.
struct Device {
  std::vector<std::string> roots;  ///< labels of those that have the same
  std::optional<std::string> server_url;
  std::vector<crypto::Certificate> certificates;  ///< of the file, its own first
  crypto::PrivateKey key;
  std::vector<crypto::Certificate> own_trust;     ///< of ServerCertificate
  std::vector<crypto::Certificate> system_trust;  ///< of the rootfs
  std::optional<std::string> server_certificate;  ///< the path that ServerCertificate is
  bool skip_verify = false;
  std::vector<std::string> warnings;
  Bytes digest;  ///< of all that decides over the connection
};

/// The devices that the image's roots make: A's, and B's when it is another one. Errors name the
/// root, the setting and the file; never content.
[[nodiscard]] Result<std::vector<Device>> devices_of(std::vector<image::FileSystems::Root>& roots);

}  // namespace imprint::handshake
