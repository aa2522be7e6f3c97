#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "support/process.hpp"
#include "support/temp_dir.hpp"

namespace imprint::boot {

/// A device: QEMU that has booted an image (scripts/boot-image), with its own kernel and init, and
/// the Mender client among its services. It writes to the image. Whatever was reached at the
/// machine's loopback is at kHost for it. Cut off from power when it goes out of scope.
class BootedDevice {
 public:
  static constexpr const char* kHost = "10.0.2.2";

  /// `rootfs`: the partition to start from.
  BootedDevice(const std::filesystem::path& image, int rootfs);
  BootedDevice(const BootedDevice&) = delete;
  BootedDevice& operator=(const BootedDevice&) = delete;
  ~BootedDevice();

  /// Waits until it holds; false when the device is off before, or after two minutes.
  bool runs_until(const std::function<bool()>& condition);

  /// `poweroff` at its console: services end, file systems are unmounted. False when that did not
  /// come to its end.
  bool power_off();

  /// All that came over its console.
  [[nodiscard]] std::string console() const;

 private:
  imprint::test::TempDir dir_;
  imprint::test::Process qemu_;
  int typing_ = -1;
};

}  // namespace imprint::boot
