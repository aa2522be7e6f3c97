#pragma once

#include "imprint/base/result.hpp"
#include "imprint/crypto/key.hpp"

namespace imprint::pipeline {

/// Whether key pairs of this kind take most of a batch's time, and times that vary: RSA, whose
/// primes are searched for.
[[nodiscard]] bool takes_long(crypto::KeyKind kind) noexcept;

/// What a key pair costs with so many threads at work, measured with a few on all of them: about a
/// second, or one key each when they take longer. Good for "two hours", not for the second.
[[nodiscard]] Result<double> seconds_per_key(crypto::KeyKind kind, unsigned jobs);

}  // namespace imprint::pipeline
