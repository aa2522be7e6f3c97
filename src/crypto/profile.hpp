#pragma once

#include "builder.hpp"
#include "der.hpp"
#include "imprint/crypto/mint.hpp"

namespace imprint::crypto {

/// Slots of the compiled TBS: three that certificates have whatever the profile (the key identifier
/// only when it says so), then those of the profile.
inline constexpr std::size_t kSerialSlot = 0;
inline constexpr std::size_t kPublicKeySlot = 1;
inline constexpr std::size_t kKeyIdentifierSlot = 2;
inline constexpr std::size_t kFirstValueSlot = 3;

struct Profile::Impl {
  ProfileSpec spec;
  SignatureAlgorithm algorithm{};
  std::size_t max_signature_bytes = 0;
  der::Template tbs;
  /// Kind of the alternative name for each value slot; none for subject attributes.
  std::vector<std::optional<AltNameKind>> slot_kinds;
};

/// Slot contents as DER wants them, from the values of a device. Its views are valid as long as it
/// and the values are.
class SlotContents {
 public:
  explicit SlotContents(const Profile::Impl& profile);

  void set(std::size_t slot, ByteView content) noexcept { contents_[slot] = content; }

  /// `values` as Profile numbers them.
  void set_values(std::span<const std::string_view> values) noexcept;

  [[nodiscard]] std::span<const ByteView> view() const noexcept { return contents_; }

 private:
  const Profile::Impl* profile_;
  std::vector<ByteView> contents_;
  std::vector<std::array<std::byte, 16>> addresses_;
};

/// Size of the certificate around a TBS of this size.
[[nodiscard]] std::size_t certificate_size(std::size_t tbs_bytes, SignatureAlgorithm algorithm,
                                           std::size_t signature_bytes) noexcept;

}  // namespace imprint::crypto
