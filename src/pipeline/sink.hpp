#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "device.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/digest.hpp"

namespace imprint::pipeline {

/// Where overlays go.
class Sink {
 public:
  virtual ~Sink() = default;

  /// Everything for one device that can be done beside other devices: nothing is visible under a
  /// final name yet. Parallel.
  virtual Result<> place(Device& device) = 0;

  /// The same for devices that travel together; a failure of one is put into it.
  virtual void place_group(std::span<Device*> devices) {
    for (Device* device : devices) {
      if (Result<> placed = place(*device); !placed) device->error = std::move(placed).error();
    }
  }

  /// Makes placed devices visible and durable, in order. A failure of one device is put into it; an
  /// error means the sink is broken.
  virtual Result<> publish(std::span<Device*> devices) = 0;

  /// After an interruption: whether this device's output is there, whole, and carries the
  /// certificate of this digest.
  virtual Result<bool> carries(std::string_view id, std::string_view name,
                               const crypto::Sha256Digest& certificate) = 0;
};

}  // namespace imprint::pipeline
