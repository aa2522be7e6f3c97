#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace imprint::verify {

enum class Outcome {
  passed,
  failed,
  skipped,  ///< not looked at: nobody said against what, or an earlier failure stood in the way
};

/// One thing that was looked at in an image.
struct Check {
  /// A stable word for machines (docs/verify.md): `partitions`, `key`, `chain`, ...
  std::string_view name;
  Outcome outcome = Outcome::skipped;
  std::string detail;  ///< what was found, what is wrong, or why nobody looked; one printable line
};

/// What is known of one image after its checks.
struct ImageVerdict {
  /// The file as it was named; of a device in an overlay store `STORE: ID`.
  std::string image;
  std::vector<Check> checks;
  // Empty where no certificate could be read.
  std::string certificate_subject;
  std::string certificate_sha256;
  std::string serial_hex;
  std::string device_id;  ///< as ledger or manifest have it; empty when neither was asked

  /// Something was looked at, and nothing failed.
  [[nodiscard]] bool passed() const noexcept;
};

}  // namespace imprint::verify
