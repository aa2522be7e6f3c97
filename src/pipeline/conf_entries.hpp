#pragma once

#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "imprint/base/clock.hpp"
#include "imprint/base/result.hpp"
#include "imprint/golden/recipe.hpp"
#include "imprint/manifest/manifest.hpp"

namespace imprint::pipeline {

/// What the entries of a manifest's `mender_conf` come to.
struct ConfEntries {
  /// Merged into mender.conf; null where an entry excludes another setting. Never null itself.
  std::shared_ptr<const nlohmann::ordered_json> settings;
  std::vector<golden::SharedFile> files;  ///< that the settings name: 0644, 0:0
  std::vector<std::string> warnings;
};

/// Reads the files and the tenant token that the manifest names, which can be done once (a variable
/// is gone then). Refuses, naming file and place: what is no certificate, is expired, is neither a
/// CA's nor a server's; what is no public key that Mender clients verify Artifacts with; and any
/// private key.
[[nodiscard]] Result<ConfEntries> read_conf_entries(const manifest::Manifest& manifest,
                                                    TimePoint now);

}  // namespace imprint::pipeline
