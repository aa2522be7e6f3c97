#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "imprint/base/clock.hpp"
#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"
#include "imprint/image/decompress.hpp"
#include "imprint/image/partition.hpp"
#include "imprint/manifest/manifest.hpp"
#include "imprint/pipeline/engine.hpp"

namespace imprint::pipeline {

struct InjectRequest {
  fs::path image;
  std::string id;
  std::optional<fs::path>
      manifest;  ///< identity, files, configuration; none: CN={id}, P-256, 3650 days
  /// Mint: CA folder, with `ca_passphrase` (of its key, or its token's PIN) as a source word
  /// ("env:NAME").
  std::optional<fs::path> ca_directory;
  std::optional<std::string> ca_passphrase;
  /// Or take these.
  std::optional<fs::path> certificate;
  std::optional<fs::path> key;
  std::vector<std::pair<std::string, std::string>> variables;  ///< --set name=value
  std::optional<fs::path> output;                              ///< none: in place
  std::optional<fs::path> ledger;   ///< none: ledger.db beside the CA certificate
  image::LayoutChoice layout = {};  ///< stands above the manifest's
  manifest::ConfOverrides conf = {};
  bool force = false;  ///< replace an identity that is there
  EngineChoice engine = {};
  image::Unpacking unpacking = {};  ///< for a compressed image; no directory: the output's
};

struct InjectReport {
  fs::path image;
  std::string id;
  std::string serial_hex;
  std::string certificate_sha256;
  std::string subject;
  bool minted = false;
  bool replaced = false;
  std::uint64_t bytes_written = 0;
  std::vector<std::string> notes;
  std::vector<std::string> warnings;
};

/// One image, in place (atomically, see image/redo.hpp; a copy that takes its name where an
/// appliance does the work) or into a new file, which a compressed image needs. On failure the
/// image is what it was.
Result<InjectReport> inject(const InjectRequest& request, const Clock& clock);

/// Finishes what an interrupted in-place inject left on this image, in the image and in the ledger;
/// a line to tell the user, or none.
Result<std::optional<std::string>> finish_interrupted(const fs::path& image, const Clock& clock);

}  // namespace imprint::pipeline
