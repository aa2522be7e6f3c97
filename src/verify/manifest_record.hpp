#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "configuration.hpp"
#include "findings.hpp"
#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/certificate.hpp"
#include "imprint/manifest/manifest.hpp"
#include "imprint/manifest/plan.hpp"
#include "open_image.hpp"

namespace imprint::verify {

/// What a manifest says of its devices. Immutable once loaded; safe from several threads.
class ManifestRecord {
 public:
  /// Proves the manifest as a batch does. The CA, the image and the files that it names need not be
  /// there.
  static Result<ManifestRecord> load(const fs::path& path);

  /// What is known of an image when its device is looked for.
  struct Clues {
    std::string image_name;  ///< file name, or that which a store has for it
    std::string ledger_id;   ///< empty: the ledger does not know
  };

  /// Paths of the files, beside key and certificate, that differ from device to device.
  [[nodiscard]] std::vector<std::string> device_files() const;

  /// Finds the image's device: by the name that the manifest gives its image, then by the ledger's
  /// id, then by the common name; and compares the names of the certificate, its places, and the
  /// contents of the device's own files. Returns the device's id; empty when there is none.
  std::string check(OpenImage& image, const crypto::Certificate& certificate,
                    std::vector<Client>& clients, const Clues& clues, Findings& findings) const;

 private:
  ManifestRecord(manifest::Manifest manifest, manifest::DeviceTable devices,
                 manifest::DevicePlan plan);

  [[nodiscard]] std::optional<std::size_t> row_of(const Clues& clues,
                                                  const crypto::Certificate& certificate) const;
  [[nodiscard]] Result<> compare_names(std::size_t row,
                                       const crypto::Certificate& certificate) const;
  [[nodiscard]] Result<> compare_places(const std::vector<Client>& clients) const;
  [[nodiscard]] Result<> compare_texts(std::size_t row, OpenImage& image) const;

  manifest::Manifest manifest_;
  manifest::DeviceTable devices_;
  manifest::DevicePlan plan_;
  std::unordered_map<std::string, std::size_t> rows_by_image_;
};

}  // namespace imprint::verify
