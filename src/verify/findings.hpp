#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "imprint/verify/verdict.hpp"

namespace imprint::verify {

/// The words for what is looked at (docs/verify.md), in the order in which it is.
namespace check {
inline constexpr std::string_view kPartitions = "partitions";
inline constexpr std::string_view kFileSystems = "file-systems";
inline constexpr std::string_view kConfiguration = "configuration";
inline constexpr std::string_view kCertificate = "certificate";
inline constexpr std::string_view kKey = "key";
inline constexpr std::string_view kValidity = "validity";
inline constexpr std::string_view kPurpose = "purpose";
inline constexpr std::string_view kChain = "chain";
inline constexpr std::string_view kRevocation = "revocation";
inline constexpr std::string_view kServerCertificate = "server-certificate";
inline constexpr std::string_view kArtifactKey = "artifact-key";
inline constexpr std::string_view kLedger = "ledger";
inline constexpr std::string_view kManifest = "manifest";
inline constexpr std::string_view kKeyCopies = "key-copies";
inline constexpr std::string_view kGolden = "golden";
inline constexpr std::string_view kBmap = "bmap";
inline constexpr std::string_view kUnique = "unique";
}  // namespace check

/// Collects what the checks of one image find.
class Findings {
 public:
  explicit Findings(std::vector<Check>& checks) : checks_(checks) {}

  void passed(std::string_view check, std::string detail) {
    add(check, Outcome::passed, std::move(detail));
  }

  void failed(std::string_view check, std::string detail) {
    add(check, Outcome::failed, std::move(detail));
  }

  void skipped(std::string_view check, std::string why) {
    add(check, Outcome::skipped, std::move(why));
  }

  [[nodiscard]] bool has_failed(std::string_view check) const {
    return std::ranges::any_of(checks_, [check](const Check& known) {
      return known.name == check && known.outcome == Outcome::failed;
    });
  }

 private:
  /// An image may hold anything, and this goes to terminals and logs.
  void add(std::string_view check, Outcome outcome, std::string detail);

  std::vector<Check>& checks_;
};

}  // namespace imprint::verify
