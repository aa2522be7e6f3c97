#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "imprint/base/bytes.hpp"
#include "imprint/base/clock.hpp"
#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/certificate.hpp"

namespace imprint::crypto {

/// What a CRL says of itself.
struct CrlFacts {
  Bytes issuer;  ///< DER of the Name
  TimePoint this_update;
  std::optional<TimePoint> next_update;
  std::optional<Bytes> number;  ///< cRLNumber's magnitude, big-endian
  std::uint64_t entries = 0;
  bool is_signed = false;  ///< by the CA that was asked about
};

/// Told of a revoked serial number: its magnitude, big-endian, valid during the call.
using SerialVisitor = std::function<void(ByteView serial)>;

/// Reads a CRL (PEM or DER; what stands before a PEM object is skipped) a piece at a time, in
/// memory that does not grow with its entries, except that Ed25519 verifies the whole message at
/// once. Code::corrupt for what is no CRL, whole and in DER; a signature that is not `ca`'s is no
/// error but `is_signed`, which is known only after all serial numbers have been told.
[[nodiscard]] Result<CrlFacts> read_crl(const File& file, const Certificate& ca,
                                        const SerialVisitor& visit = {});

/// DER of the subject, byte for byte: what its CRLs have as their issuer.
[[nodiscard]] Bytes subject_der(const Certificate& certificate);

}  // namespace imprint::crypto
