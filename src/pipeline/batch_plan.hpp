#pragma once

#include <memory>
#include <optional>

#include "check_conf.hpp"
#include "conf_entries.hpp"
#include "imprint/authority/authority.hpp"
#include "imprint/crypto/mint.hpp"
#include "imprint/golden/golden.hpp"
#include "imprint/golden/store.hpp"
#include "imprint/image/partition.hpp"
#include "imprint/image/reader.hpp"
#include "imprint/manifest/plan.hpp"
#include "imprint/pipeline/batch.hpp"

namespace imprint::pipeline {

/// The parts of a plan, in the order in which they are made and checked.
struct BatchPlan::Impl {
  Impl(manifest::Manifest checked_manifest, manifest::DeviceTable table)
      : manifest(std::move(checked_manifest)),
        devices(std::move(table)) {}

  manifest::Manifest manifest;
  crypto::Sha256Digest manifest_digest{};
  manifest::DeviceTable devices;
  manifest::DevicePlan device_plan;
  ConfEntries conf_entries;

  std::optional<authority::Authority> authority;
  std::shared_ptr<const crypto::Profile> profile;

  std::optional<image::FileImage> base;
  std::uint64_t unpacked_bytes = 0;        ///< what a compressed base takes while the batch runs
  std::uint64_t unpacked_there_bytes = 0;  ///< of these, taken from the output's room already
  image::Layout layout;
  crypto::Sha256Digest base_digest{};

  std::vector<golden::DeviceFile> device_files;
  std::optional<golden::Golden> golden;
  /// Instead of a golden image, where only an appliance can write to the data partition.
  std::optional<golden::Recipe> guest_recipe;
  EngineChoice engine;
  crypto::Sha256Digest golden_digest{};

  unsigned jobs = 1;
  std::optional<std::uint64_t> limit;
  std::uint64_t to_make = 0;  ///< devices that are not done, as far as `limit` lets
  PlanSummary summary;

  [[nodiscard]] golden::StoreHeader store_header() const;

  [[nodiscard]] WantedConf wanted_conf() const {
    return {.identity = manifest.identity, .settings = *conf_entries.settings};
  }
};

}  // namespace imprint::pipeline
