#include <fmt/format.h>

#include "imprint/authority/authority.hpp"

namespace imprint::authority {

namespace {

using Days = std::chrono::duration<std::int64_t, std::ratio<86400>>;

}  // namespace

Result<LeafValidity> leaf_validity(const Authority& authority, TimePoint not_before,
                                   std::optional<std::uint32_t> days) {
  const TimePoint ca_end = authority.certificate().not_after();
  if (days == 0U)
    return fail(Code::invalid_input, "a certificate for 0 days is never valid; give at least 1");
  const TimePoint wanted = days ? not_before + Days(*days) : crypto::kNoExpiry;
  if (wanted > crypto::kNoExpiry) {
    return fail(
        Code::invalid_input,
        fmt::format("{} days lead past the year 9999, the last a certificate can name", *days));
  }
  if (wanted <= ca_end) return LeafValidity{not_before, wanted, false};
  // Within a day of it nobody means to outlive the CA: a CA and devices made on one day "for ten
  // years" both.
  if (wanted - ca_end < Days(1) && ca_end > not_before)
    return LeafValidity{not_before, ca_end, true};
  const auto fitting = std::chrono::floor<Days>(ca_end - not_before).count();
  return fail(
      Code::invalid_input,
      fmt::format("a device certificate until {} would outlive its CA, which ends on {}; {}",
                  days ? to_rfc3339(wanted) : "9999 (no expiry)", to_rfc3339(ca_end),
                  fitting > 0
                      ? fmt::format("give at most {} days, or use a CA that lasts longer", fitting)
                      : "use a CA that lasts longer"));
}

}  // namespace imprint::authority
