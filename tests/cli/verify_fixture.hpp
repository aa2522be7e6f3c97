#pragma once

#include <functional>
#include <string>
#include <vector>

#include "batch_fixture.hpp"

namespace imprint::cli::test {

/// With its holes.
void copy_image(const fs::path& from, const fs::path& to);

/// A copy of a good device's image, to be spoilt with debugfs and by its bytes.
class Specimen {
 public:
  explicit Specimen(const fs::path& image) : image_(image), oracle_(image) {}

  [[nodiscard]] const fs::path& image() const noexcept { return image_; }

  [[nodiscard]] const ImageOracle& oracle() const noexcept { return oracle_; }

  void change(int partition, const std::vector<std::string>& requests) const {
    oracle_.change(partition, requests);
  }

  /// Puts other content into a file's own block, so that nothing of the old one is left anywhere.
  void overwrite(int partition, const std::string& path, const std::string& content) const;
  /// The same with what `edit` makes of the present content.
  void edit(int partition, const std::string& path,
            const std::function<std::string(std::string)>& edit) const;
  /// Writes into a block that is free, and stays so.
  void write_into_free_block(int partition, const std::string& content) const;
  /// A new file with mode and owner of a certificate, and what it needs to be found.
  void add(int partition, const std::string& path, const std::string& content,
           const std::string& mode = "0100644") const;
  void write_at(std::uint64_t offset, const std::string& bytes) const;

  /// Where a file's first block is in the image.
  [[nodiscard]] std::uint64_t offset_of(int partition, const std::string& path) const;

 private:
  [[nodiscard]] std::uint64_t block_bytes(int partition) const;

  fs::path image_;
  ImageOracle oracle_;
};

/// Where the fixture's manifest puts them, as the data partition knows it.
inline constexpr const char* kKeyInData = "/mender/mender-cert-private.pem";
inline constexpr const char* kCertificateInData = "/mender/mender-cert.pem";
inline constexpr const char* kMainConfInRootfs = "/etc/mender/mender.conf";

/// One thing that is wrong with an image, and what verify says of it.
struct Defect {
  std::string name;
  std::function<void(Specimen& image)> spoil;
  std::string check;                        ///< that fails, and no other
  std::string detail;                       ///< the whole of it, or a part
  std::vector<std::string> arguments = {};  ///< beside the image and --ca
};

/// Spoils a copy of out/unit-1.sdimg for each and expects exactly this defect to be found.
void expect_defects(const std::vector<Defect>& defects);

/// Failed checks of a verdict of `verify --json`, each `check: detail`.
[[nodiscard]] std::vector<std::string> failed_checks(const Json& verdict);

/// `out/.imprint/golden-*.img`
[[nodiscard]] fs::path golden_image();

}  // namespace imprint::cli::test
