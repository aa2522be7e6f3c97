#include "carried_certificate.hpp"

#include "imprint/crypto/certificate.hpp"
#include "imprint/image/file_systems.hpp"

namespace imprint::pipeline {

bool carries_certificate(const image::ImageReader& image, const image::Layout& layout,
                         std::span<const golden::DeviceFile> device_files,
                         const crypto::Sha256Digest& certificate) {
  image::FileSystems file_systems(image::read_natively(image), layout);
  return carries_certificate(file_systems.roots(), device_files, certificate);
}

bool carries_certificate(std::span<image::FileSystems::Root> roots,
                         std::span<const golden::DeviceFile> device_files,
                         const crypto::Sha256Digest& certificate) {
  for (image::FileSystems::Root& root : roots) {
    const auto certificate_pem = root.tree.read_file(device_files[kCertificateFile].path);
    const auto key_pem = root.tree.read_file(device_files[kKeyFile].path);
    if (!certificate_pem || !key_pem) return false;
    const auto found = crypto::Certificate::parse(*certificate_pem);
    if (!found || found->fingerprint() != certificate) return false;
    const auto key = crypto::PrivateKey::from_pem(*key_pem);
    if (!key || !crypto::belongs_together(*key, *found)) return false;
  }
  return true;
}

}  // namespace imprint::pipeline
