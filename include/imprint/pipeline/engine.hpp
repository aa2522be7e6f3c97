#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "imprint/base/result.hpp"

namespace imprint::pipeline {

/// Who edits the file systems of an image.
enum class Engine {
  automatic,  ///< this process, unless the data partition needs an appliance
  native,     ///< this process: ext2, ext3, ext4 and FAT
  guestfs,    ///< a Linux kernel in libguestfs's appliance
};

struct EngineChoice {
  Engine engine = Engine::automatic;
  /// For the appliance's start, and for each step in it.
  std::chrono::seconds timeout{120};
  /// Of an encrypted data partition, as a source word ("env:NAME").
  std::optional<std::string> luks_passphrase;
};

/// `auto`, `native` or `guestfs`.
[[nodiscard]] Result<Engine> parse_engine(std::string_view word);

}  // namespace imprint::pipeline
