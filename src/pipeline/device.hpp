#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/mint.hpp"
#include "imprint/golden/overlay.hpp"

namespace imprint::pipeline {

/// A device in hand, from its row to its image. Buffers are reused for the next one.
struct Device {
  std::size_t row = 0;  ///< in the device table
  std::string id;
  std::string name;                ///< file name in the output directory
  std::string subject;             ///< for the ledger, RFC 2253
  std::vector<std::string> slots;  ///< values of the profile's slots
  std::vector<std::string> texts;  ///< contents of the device files after key and certificate
  std::string identity_data;       ///< for the ledger: a JSON object, empty for none
  crypto::Identity identity;
  golden::Overlay overlay;
  crypto::SecretBytes serialized;  ///< overlay sink
  std::optional<NewFile>
      image;  ///< image sink: written, synced and checked, not yet under its name
  std::optional<NewFile> bmap;
  std::int64_t certificate_row = 0;  ///< in the ledger, 0: not recorded
  std::optional<Error> error;

  /// Contents of the device files, in the recipe's order: key, certificate, texts.
  [[nodiscard]] std::vector<ByteView> contents() const {
    std::vector<ByteView> all{identity.key_pem.view(), bytes_of(identity.certificate_pem)};
    for (const std::string& text : texts)
      all.push_back(bytes_of(text));
    return all;
  }
};

}  // namespace imprint::pipeline
