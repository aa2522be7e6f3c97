#pragma once

#include <array>
#include <string>
#include <unordered_map>

#include "findings.hpp"
#include "imprint/crypto/certificate.hpp"
#include "imprint/verify/verdict.hpp"

namespace imprint::verify {

/// What images of one run share and must not: key, serial number (of one issuer), and the device's
/// id; where nobody knows ids, the subject. The image that comes later is told which came before.
/// One thread at a time.
class Unique {
 public:
  void check(const ImageVerdict& verdict, const crypto::Certificate& certificate,
             Findings& findings);

 private:
  struct HashOfDigest {
    std::size_t operator()(const crypto::Sha256Digest& digest) const noexcept;
  };

  /// By a digest of what must differ: the number of the image that had it first.
  using Seen = std::unordered_map<crypto::Sha256Digest, std::string, HashOfDigest>;

  static const std::string* seen_before(Seen& seen, ByteView what, const std::string& image);

  Seen keys_;
  Seen serials_;
  Seen ids_;
};

}  // namespace imprint::verify
