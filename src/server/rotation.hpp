#pragma once

#include <span>
#include <vector>

#include "imprint/server/rotate.hpp"
#include "pair.hpp"

namespace imprint::server {

/// One run of a rotation of the certificates: what was found when it began.
struct Run {
  const CertificateRotation& request;
  const Clock& clock;
  Deployment tree;
  Progress progress;

  [[nodiscard]] fs::path folder() const;
  [[nodiscard]] fs::path trust() const;  ///< server.crt, below the folder

  [[nodiscard]] fs::path trust_path() const { return folder() / trust(); }

  /// What a place has under this name, below the folder of all certificates.
  [[nodiscard]] fs::path in_folder(const CertificatePlace& place, const fs::path& name) const;
  /// The pairs in `below` each place.
  [[nodiscard]] Result<std::vector<Pair>> pairs(std::string_view below = {}) const;

  [[nodiscard]] std::uint32_t days() const { return request.days.value_or(kDefaultDays); }
};

/// The old certificate has to be valid when the next one begins, and the next has to outlast it.
[[nodiscard]] Result<> refuse_gap(const Run& run, std::span<const Pair> pairs);

/// Who trusts a CA is not to find a self-signed certificate.
[[nodiscard]] Result<> refuse_missing_ca(const Run& run, std::span<const Pair> pairs);

/// A certificate that was renewed by hand: clients that only get to know the next one beside what
/// they have would not trust the server that there is.
[[nodiscard]] Result<> refuse_untrusted(const Run& run, std::span<const Pair> pairs,
                                        std::span<const crypto::Certificate> trusted);

/// Every client trusts what is in server.crt, so nothing may be in it that nobody needs.
[[nodiscard]] Result<> refuse_strangers(const Run& run, std::span<const Pair> pairs,
                                        std::span<const crypto::Certificate> trusted);

/// server.crt as a rotation that has begun has left it: the trust for the old certificates, then
/// that for the next ones, and nothing else. It goes to all clients, and the switch relies on it.
[[nodiscard]] Result<> check_trust_of_both(const Run& run);

/// Options that only the making of the next certificates heeds, when those are there already and
/// say otherwise.
[[nodiscard]] Result<> refuse_other_settings(const Run& run);

/// Where the rotation is after this run, and what is to be done until when.
[[nodiscard]] Result<> describe(const Run& run, RotateReport& report);

}  // namespace imprint::server
