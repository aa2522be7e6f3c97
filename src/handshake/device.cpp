// The client's settings and files as it would load them. Where the client only warns and goes on
// (a ServerCertificate that cannot be read), so does this.

#include "device.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "imprint/crypto/digest.hpp"
#include "imprint/mender/conf.hpp"
#include "imprint/mender/paths.hpp"

namespace imprint::handshake {

namespace {

using Root = image::FileSystems::Root;
using Certificates = std::vector<crypto::Certificate>;

constexpr std::uint64_t kMaxFileBytes = std::uint64_t{16} << 20;

Unexpected refuse(std::string why) {
  return fail(Code::invalid_input, std::move(why));
}

/// Looks at one root.
class Loader {
 public:
  explicit Loader(Root& root) : root_(root) {}

  /// None: a second rootfs without a configuration, which gets one with its first update.
  Result<std::optional<Device>> load() {
    const auto main =
        root_.has_rootfs ? IMPRINT_TRY(read_text(mender::kMainConf)) : std::optional<std::string>();
    const auto fallback = IMPRINT_TRY(read_text(mender::kFallbackConf));
    if (root_.is_second && !main) return std::optional<Device>();
    const mender::ConfFindings findings = mender::check_conf(main, fallback);
    if (!findings.errors.empty()) return refuse(findings.errors.front());
    warnings_.insert(warnings_.end(), findings.warnings.begin(), findings.warnings.end());
    const mender::EffectiveConf conf = IMPRINT_TRY(mender::effective_conf(main, fallback));
    return std::optional<Device>(IMPRINT_TRY(load_device(conf)));
  }

 private:
  /// None when there is no such file, or the file system is one that is not read here (squashfs):
  /// the data partition has its say all the same.
  Result<std::optional<std::string>> read_text(std::string_view path) {
    const auto content = root_.tree.read_file(path, kMaxFileBytes);
    if (content) return std::optional<std::string>(text_of(*content));
    if (content.error().code == Code::not_found) return std::optional<std::string>();
    if (content.error().code != Code::unsupported) return fail(Error(content.error()));
    unread_ = fmt::format("{} is not known: {}", quoted(path), content.error().message());
    warnings_.push_back(unread_);
    return std::optional<std::string>();
  }

  /// A file that a setting names. The value may be a PKCS#11 URI with a PIN, and is not repeated
  /// then.
  Result<crypto::WipedBytes> read_named(std::string_view setting, const std::string& path) {
    if (!path.starts_with('/')) {
      return refuse(
          fmt::format("'{}' names no file of the image (a token, perhaps): only a device "
                      "that has it can make this connection",
                      setting));
    }
    auto content = root_.tree.read_file(path, kMaxFileBytes);
    if (content) return content;
    if (content.error().code == Code::not_found) {
      return refuse(
          fmt::format("'{}' names {}, which is not in the image; give the image an "
                      "identity (imprint inject) or mend mender.conf",
                      setting, quoted(path)));
    }
    return fail(Error(content.error()));
  }

  Result<Device> load_device(const mender::EffectiveConf& conf) {
    if (!conf.certificate() || !conf.key()) {
      return refuse(fmt::format(
          "mender.conf has no 'HttpsClient', so that the client has no certificate to show; give "
          "the image an identity (imprint inject){}{}",
          unread_.empty() ? "" : "; ", unread_));
    }
    const auto pem = IMPRINT_TRY(read_named("HttpsClient.Certificate", *conf.certificate()));
    Certificates certificates =
        IMPRINT_TRY(crypto::Certificate::parse_all(pem).context(quoted(*conf.certificate())));
    crypto::PrivateKey key = IMPRINT_TRY(load_key(*conf.key()));
    if (!crypto::belongs_together(key, certificates.front())) {
      return refuse(fmt::format(
          "the key in {} does not belong to the certificate in {} ({}); give the image a matching "
          "pair (imprint inject)",
          quoted(*conf.key()), quoted(*conf.certificate()), certificates.front().subject_text()));
    }
    Device device{.roots = {root_.label},
                  .server_url = conf.server_url(),
                  .certificates = std::move(certificates),
                  .key = std::move(key),
                  .own_trust = load_trust(conf.server_certificate(), "'ServerCertificate' "),
                  .system_trust = load_trust(std::string(mender::kSystemAuthorities), ""),
                  .server_certificate = conf.server_certificate(),
                  .skip_verify = conf.skip_verify(),
                  .warnings = {},
                  .digest = {}};
    device.warnings = std::move(warnings_);
    device.digest = digest_of(device);
    return device;
  }

  Result<crypto::PrivateKey> load_key(const std::string& path) {
    const crypto::WipedBytes pem = IMPRINT_TRY(read_named("HttpsClient.Key", path));
    const bool encrypted = IMPRINT_TRY(crypto::PrivateKey::is_encrypted(pem).context(quoted(path)));
    if (encrypted) {
      return refuse(
          fmt::format("the key in {} is encrypted, and clients know no passphrase for it; "
                      "store it unencrypted",
                      quoted(path)));
    }
    return crypto::PrivateKey::from_pem(pem).context(quoted(path));
  }

  /// Clients warn and go on without what they cannot load; a rootfs without CAs is none of that.
  Certificates load_trust(const std::optional<std::string>& path, std::string_view setting) {
    if (!path) return {};
    const auto pem = root_.tree.read_file(*path, kMaxFileBytes);
    const bool optional = setting.empty();
    if (!pem && optional && pem.error().code == Code::not_found) return {};
    auto certificates =
        pem ? crypto::Certificate::parse_all(*pem) : Result<Certificates>(fail(Error(pem.error())));
    if (certificates) return std::move(*certificates);
    warnings_.push_back(fmt::format("{}{} cannot be loaded, and the client goes on without it: {}",
                                    setting, quoted(*path), certificates.error().message()));
    return {};
  }

  static Bytes digest_of(const Device& device) {
    std::string text = fmt::format("{}\n{}\n", device.server_url.value_or(""), device.skip_verify);
    for (const Certificates* list :
         {&device.certificates, &device.own_trust, &device.system_trust}) {
      for (const crypto::Certificate& certificate : *list)
        text += to_hex(certificate.fingerprint());
      text += '\n';
    }
    const auto digest = crypto::sha256(bytes_of(text));
    return {digest.begin(), digest.end()};
  }

  Root& root_;
  std::vector<std::string> warnings_;
  std::string unread_;
};

}  // namespace

Result<std::vector<Device>> devices_of(std::vector<Root>& roots) {
  std::vector<Device> devices;
  for (Root& root : roots) {
    auto device = IMPRINT_TRY(Loader(root).load().context(root.label));
    if (!device) continue;
    const auto same = std::ranges::find(devices, device->digest, &Device::digest);
    if (same != devices.end()) {
      same->roots.push_back(root.label);
    } else {
      devices.push_back(std::move(*device));
    }
  }
  if (devices.empty()) {
    return refuse(
        "rootfs B has no mender.conf yet, which it gets with the first update; leave out "
        "--rootfs b");
  }
  return devices;
}

}  // namespace imprint::handshake
