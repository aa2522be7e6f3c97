#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "imprint/authority/authority.hpp"
#include "imprint/base/clock.hpp"
#include "imprint/base/result.hpp"

namespace imprint::authority {

/// What is done with a device certificate that would be valid when its CA is not. Verifiers ask
/// whether the whole chain is valid at one moment (RFC 5280 6.1.3) and notice nothing before that.
enum class OutlivesCa {
  error,     ///< refused; an excess under a day at the end is cut
  truncate,  ///< cut to the CA's validity
  permit,    ///< left as it is, with a warning
};

/// The words are the manifest's: `error`, `truncate`, `permit`.
[[nodiscard]] std::string_view word(OutlivesCa policy) noexcept;

/// The validity that is wished for, before the CA is looked at.
struct ValiditySpec {
  /// So long before now (clocks of devices and servers go wrong), or at a moment.
  std::variant<std::chrono::seconds, TimePoint> not_before = std::chrono::seconds(0);
  /// So many days after not_before, or at a moment (crypto::kNoExpiry: no end).
  std::variant<std::uint32_t, TimePoint> not_after = std::uint32_t{3650};
  OutlivesCa outlives_ca = OutlivesCa::error;
};

/// Validity of a device certificate.
struct LeafValidity {
  TimePoint not_before;
  TimePoint not_after;
  bool cut = false;                        ///< shortened to the CA's
  std::vector<std::string> notes = {};     ///< what was cut, one line each
  std::vector<std::string> warnings = {};  ///< what is permitted and not as it should be
};

/// When a certificate of this CA begins, if it is issued `now`: leaf_validity without the end, for
/// a caller that wants to say which of the two is wrong.
[[nodiscard]] Result<TimePoint> leaf_start(const Authority& authority, const ValiditySpec& spec,
                                           TimePoint now);

/// The validity that a certificate of this CA gets, if it is issued `now`. Refuses, naming both
/// ends and what would fit: a certificate that outlives its CA or begins before it (as the spec
/// says), one that is never valid or has ended already, and times that no certificate can name.
[[nodiscard]] Result<LeafValidity> leaf_validity(const Authority& authority,
                                                 const ValiditySpec& spec, TimePoint now);

}  // namespace imprint::authority
