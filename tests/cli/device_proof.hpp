#pragma once

#include <map>
#include <string>

#include "batch_fixture.hpp"

namespace imprint::cli::test {

/// What a device of BatchFolder's manifest must look like.
struct Expected {
  std::string id;
  std::string psk;
  std::string target = "rootfs";  ///< mender_conf.target
  bool populated_b = true;
};

/// Judges one finished image by other people's programs only; every complaint is a test failure.
void prove_image(const fs::path& image, const Expected& expected);

/// The device's certificate and key as they stand in the image, read by debugfs.
struct Carried {
  std::string certificate_pem;
  std::string key_pem;
};

[[nodiscard]] Carried carried_by(const ImageOracle& image);

/// Serial of a PEM certificate by openssl, lower-case hex without leading zeros.
[[nodiscard]] std::string serial_of(const std::string& certificate_pem);

/// Lower case, no leading zeros: how serials of different programs compare.
[[nodiscard]] std::string plain_hex(std::string hex);

}  // namespace imprint::cli::test
