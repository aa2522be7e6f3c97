#pragma once

#include <vector>

#include "findings.hpp"
#include "imprint/mender/conf.hpp"
#include "open_image.hpp"

namespace imprint::verify {

/// What the client of one rootfs would really use.
struct Client {
  image::FileSystems::Root* root = nullptr;  ///< of the open image
  mender::EffectiveConf conf;
};

/// Reads main and fallback file of every rootfs as a client does, and judges them: both valid,
/// nothing that a client refuses or that clients disagree on, an identity named, the signing key
/// that of the certificate, and every rootfs the same. A second rootfs without a configuration is
/// passed over: it gets one with its first update. Returns those that name an identity, A first.
[[nodiscard]] std::vector<Client> check_configuration(OpenImage& image, Findings& findings);

}  // namespace imprint::verify
