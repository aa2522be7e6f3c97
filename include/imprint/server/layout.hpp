#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"

/// Where Mender's `keygen` puts the server's keys and certificates, and where its parts look for
/// them. All paths are relative to the folder of the keys.
namespace imprint::server {

/// The two trees: of servers up to 3.0, with a certificate each for the API gateway and the storage
/// proxy, and of those from 3.1 on, with one for both.
enum class Layout { classic, current };

/// `classic`, `current`.
[[nodiscard]] std::string_view word(Layout layout) noexcept;
[[nodiscard]] Result<Layout> parse_layout(std::string_view word);

inline constexpr std::string_view kCertificateFile = "cert.crt";
inline constexpr std::string_view kKeyFile = "private.key";
/// Below a certificate's folder: the pair that comes next, and the one that was before.
inline constexpr std::string_view kNextFolder = "next";
inline constexpr std::string_view kOldFolder = "old";

/// A certificate of the tree and what it is for.
struct CertificatePlace {
  std::string_view what;  ///< `API gateway`
  std::string_view folder;
};

[[nodiscard]] std::span<const CertificatePlace> certificate_places(Layout layout) noexcept;

/// `cert` or `certs`: all certificates are in it or below.
[[nodiscard]] std::string_view certificates_folder(Layout layout) noexcept;

/// `server.crt` in that folder: what clients have to trust.
[[nodiscard]] fs::path trust_file(Layout layout);

/// The services that sign tokens.
enum class Service { deviceauth, useradm };

inline constexpr std::array kServices = {Service::deviceauth, Service::useradm};

[[nodiscard]] std::string_view word(Service service) noexcept;
[[nodiscard]] Result<Service> parse_service(std::string_view word);
[[nodiscard]] fs::path service_folder(Service service);

/// `private.key` for 0, the key that keygen makes, else `private.id.N.pem`.
[[nodiscard]] std::string service_key_file(unsigned id);

}  // namespace imprint::server
