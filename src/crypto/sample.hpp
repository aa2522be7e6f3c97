#pragma once

#include <memory>

#include "builder.hpp"
#include "imprint/crypto/mint.hpp"

namespace imprint::crypto {

/// A device that is nobody's, and its TBSCertificate as OpenSSL builds it: what a profile is
/// compiled from and compared with.
struct Sample {
  std::vector<std::string> texts;
  std::vector<std::string_view> slots;  // of `texts`
  KeyPtr key;
  DeviceValues device;
  Bytes public_key_info;
  Bytes tbs;
};

enum class SampleLength { shortest, longest };

/// On the heap, since it refers to itself.
[[nodiscard]] Result<std::unique_ptr<const Sample>> make_sample(const ProfileSpec& spec,
                                                                const Certificate& issuer,
                                                                SignatureAlgorithm algorithm,
                                                                SampleLength length);

}  // namespace imprint::crypto
