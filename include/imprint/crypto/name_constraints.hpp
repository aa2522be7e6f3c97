#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "imprint/base/result.hpp"
#include "imprint/crypto/certificate.hpp"
#include "imprint/crypto/mint.hpp"

namespace imprint::crypto {

/// What CAs let certificates below them be called (nameConstraints, RFC 5280 4.2.1.10). Verifiers
/// refuse what goes against it; nothing but this looks at every device before it is made.
/// Immutable, thread-safe.
class NameConstraints {
 public:
  /// Those of all these CAs together; one that OpenSSL cannot read is Code::unsupported.
  static Result<NameConstraints> of(std::span<const Certificate> authorities);
  NameConstraints(NameConstraints&&) noexcept;
  NameConstraints& operator=(NameConstraints&&) noexcept;
  ~NameConstraints();

  /// Whether anything may be called anything.
  [[nodiscard]] bool empty() const noexcept;

  /// Refuses a device of this profile with these slots, saying which CA does. `issuer` is only what
  /// its certificate would name.
  [[nodiscard]] Result<> check(const ProfileSpec& spec, std::span<const std::string_view> slots,
                               const Certificate& issuer) const;

 private:
  struct Impl;
  explicit NameConstraints(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace imprint::crypto
