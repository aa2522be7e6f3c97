#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "imprint/base/bytes.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/secret.hpp"

namespace imprint::crypto {

inline constexpr std::string_view kPemCertificate = "CERTIFICATE";
inline constexpr std::string_view kPemPrivateKey = "PRIVATE KEY";
inline constexpr std::string_view kPemPublicKey = "PUBLIC KEY";

/// Exact size of the PEM text of `der_bytes` octets under this label.
[[nodiscard]] std::size_t pem_size(std::string_view label, std::size_t der_bytes) noexcept;

/// A line of PEM text: so many octets, so many characters without the line end.
inline constexpr std::size_t kPemLineOctets = 48;
inline constexpr std::size_t kPemLineCharacters = 64;

/// Writes base64, four characters for each begun three octets; returns the end.
char* put_base64(char* at, ByteView octets) noexcept;

/// Writes the PEM text as OpenSSL does: 64 columns, line feeds. `into` has exactly pem_size.
void write_pem(std::string_view label, ByteView der, MutableBytes into) noexcept;

/// One object of a PEM text, decoded from base64 but not decrypted.
struct PemObject {
  std::string label;
  std::string header;  ///< RFC 1421 header lines (Proc-Type, DEK-Info); nearly always empty
  SecretBytes der;
};

/// Calls `visit` for every object in order, text between them skipped, until it returns false.
/// Code::corrupt for an object that does not decode.
[[nodiscard]] Result<> for_each_pem_object(ByteView pem,
                                           const std::function<bool(PemObject)>& visit);

}  // namespace imprint::crypto
