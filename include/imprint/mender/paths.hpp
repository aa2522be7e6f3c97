#pragma once

#include <cstdint>
#include <string_view>

/// Where the Mender client looks on a device, in every version of it since 2.0. All are paths of
/// the running device: `/data` is the data partition.
namespace imprint::mender {

/// Main configuration. Belongs to the root file system, so an update replaces it.
inline constexpr std::string_view kMainConf = "/etc/mender/mender.conf";

/// Fallback configuration, which survives updates. Clients ask for it as
/// `/var/lib/mender/mender.conf`; there `/var/lib/mender` is a symbolic link to `/data/mender`.
inline constexpr std::string_view kFallbackConf = "/data/mender/mender.conf";

/// What the device is, one line `device_type=...`. Its presence tells a data partition.
inline constexpr std::string_view kDeviceType = "/data/mender/device_type";

/// Where a rootfs has the CAs that it trusts, as one file, which OpenSSL's default leads to.
inline constexpr std::string_view kSystemAuthorities = "/etc/ssl/certs/ca-certificates.crt";

/// Where a device's private key and certificate go unless a manifest says otherwise.
inline constexpr std::string_view kDefaultKeyPath = "/data/mender/mender-cert-private.pem";
inline constexpr std::string_view kDefaultCertificatePath = "/data/mender/mender-cert.pem";

/// Permission bits of what is written, owner and group 0:0. Clients from 4.0.5 on warn about a
/// private key of any other mode and change it; builders install mender.conf as 0600, since it may
/// hold the tenant token.
inline constexpr std::uint16_t kKeyMode = 0600;
inline constexpr std::uint16_t kCertificateMode = 0644;
inline constexpr std::uint16_t kConfMode = 0600;

}  // namespace imprint::mender
