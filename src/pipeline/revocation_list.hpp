#pragma once

#include <cstdint>
#include <optional>

#include "imprint/pipeline/revocation.hpp"

namespace imprint::pipeline {

/// The CRL that a new one takes the place of.
struct ReplacedCrl {
  std::uint64_t number = 0;  ///< 0: it has none
  std::uint64_t entries = 0;
};

/// Writes the list; a CRL gets a number above the one it replaces.
[[nodiscard]] Result<CrlReport> write_list(const CrlRequest& request,
                                           const std::optional<ReplacedCrl>& replaced,
                                           const Clock& clock, const crypto::ByteSink& output);

}  // namespace imprint::pipeline
