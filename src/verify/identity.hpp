#pragma once

#include <optional>
#include <vector>

#include "configuration.hpp"
#include "findings.hpp"
#include "imprint/crypto/certificate.hpp"
#include "imprint/crypto/key.hpp"
#include "open_image.hpp"

namespace imprint::verify {

/// What a device will show to the server.
struct Identity {
  crypto::Certificate certificate;
  std::optional<crypto::PrivateKey> key;  ///< none: it could not be read, or is in a token
  // Where the image has them on purpose: one place, or one in each rootfs.
  std::vector<image::DeviceTree::Location> certificate_places;
  std::vector<image::DeviceTree::Location> key_places;
};

/// The certificate and key that the clients' configuration names: there, with mode and owner as
/// they should be (mender/paths.hpp), in a PEM form that every client version loads, belonging
/// together, and the same in every rootfs. None when there is no certificate to go on with.
[[nodiscard]] std::optional<Identity> check_identity(OpenImage& image, std::vector<Client>& clients,
                                                     Findings& findings);

}  // namespace imprint::verify
