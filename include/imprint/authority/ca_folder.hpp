#pragma once

#include <filesystem>
#include <string_view>

#include "imprint/base/result.hpp"

namespace imprint::authority {

/// Names inside a folder that imprint made.
inline constexpr const char* kCertificateFile = "ca-cert.pem";
inline constexpr const char* kKeyFile = "ca-private.key";
inline constexpr const char* kChainFile = "chain.pem";
inline constexpr const char* kGatewayFile = "gateway-ca.pem";
/// Says where the CA is, for one whose key is not in a file beside it: the manifest's `authority`.
inline constexpr const char* kAuthorityFile = "authority.json";

/// Where a CA's files are in a folder, by the tool that made it.
struct CaPaths {
  std::string_view tool;  ///< `imprint`, `easy-rsa`, `openssl ca`, `step`
  std::filesystem::path certificate;
  std::filesystem::path key;    ///< by the tool's rule; it need not be there
  std::filesystem::path chain;  ///< the CA and those above it; the certificate where none is kept
};

/// Finds a CA in a folder as imprint, easy-rsa 3 (the folder or its pki), `openssl ca` (demoCA) or
/// step lays it out. Of step's two CAs it is the intermediate, which issues. Code::not_found names
/// what was looked for; a folder that fits two tools is Code::invalid_input and names both.
[[nodiscard]] Result<CaPaths> find_ca_folder(const std::filesystem::path& directory);

}  // namespace imprint::authority
