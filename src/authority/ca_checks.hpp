#pragma once

#include "imprint/base/clock.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/certificate.hpp"

namespace imprint::authority {

// The messages go after the certificate's name: "is no CA certificate: ...".

/// Refuses a certificate whose device certificates nobody would accept. A self-signed v1
/// certificate passes: nothing in it says that it is no CA.
[[nodiscard]] Result<> check_may_issue(const crypto::Certificate& ca);

/// Refuses a time before the year in which this program was built.
[[nodiscard]] Result<> check_clock(TimePoint now);

/// Refuses a certificate that has expired or is not valid yet.
[[nodiscard]] Result<> check_valid_at(const crypto::Certificate& ca, TimePoint now);

}  // namespace imprint::authority
