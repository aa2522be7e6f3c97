#include "identity.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "imprint/crypto/examine.hpp"
#include "imprint/mender/paths.hpp"
#include "named_file.hpp"

namespace imprint::verify {

namespace {

using Location = image::DeviceTree::Location;

Unexpected wrong(std::string what) {
  return fail(Code::check_failed, std::move(what));
}

/// Clients read PEM and nothing else.
Result<> check_pem(const NamedFile& file, const std::string& path) {
  if (text_of(file.content).find("-----BEGIN ") != std::string_view::npos) return {};
  return wrong(path + " is not in PEM, which is all that clients read");
}

/// Clients from 4.0 on send the first certificate of the file, older ones all of it: the first is
/// the device's (reference: `use_certificate_file`).
Result<crypto::Certificate> read_certificate(const NamedFile& file, const std::string& path,
                                             std::size_t& others) {
  IMPRINT_TRY(check_pem(file, path));
  std::optional<crypto::Certificate> first;
  others = 0;
  for (crypto::FileObject& object : crypto::objects_in(file.content)) {
    if (auto* certificate = std::get_if<crypto::Certificate>(&object)) {
      if (first) {
        ++others;
      } else {
        first = std::move(*certificate);
      }
    } else if (const auto* unknown = std::get_if<crypto::UnknownObject>(&object)) {
      if (unknown->damaged) return wrong(fmt::format("{}: {}", path, unknown->reason));
    }
  }
  if (!first) return wrong(path + " holds no certificate");
  return std::move(*first);
}

/// One unencrypted private key: HttpsClient.Key is loaded with an empty passphrase, and of two keys
/// nobody can tell which counts.
Result<crypto::PrivateKey> read_key(const NamedFile& file, const std::string& path,
                                    std::string& form) {
  IMPRINT_TRY(check_pem(file, path));
  std::size_t keys = 0;
  for (const crypto::FileObject& object : crypto::objects_in(file.content)) {
    if (const auto* key = std::get_if<crypto::PrivateKeyFacts>(&object)) {
      ++keys;
      form = key->form;
      if (key->encrypted)
        return wrong(path + " is encrypted: clients load it with an empty passphrase");
    } else if (const auto* unknown = std::get_if<crypto::UnknownObject>(&object)) {
      if (unknown->damaged) return wrong(fmt::format("{}: {}", path, unknown->reason));
    }
  }
  if (keys == 0) return wrong(path + " holds no private key");
  if (keys > 1) return wrong(fmt::format("{} holds {} private keys, should be one", path, keys));
  auto key = crypto::PrivateKey::from_pem(file.content);
  if (!key) return wrong(fmt::format("{}: {}", path, key.error().message()));
  return key;
}

bool is_known(const std::vector<Location>& places, const Location& location) {
  return std::ranges::any_of(places, [&](const Location& place) {
    return place.file_system == location.file_system && place.path == location.path;
  });
}

class Judge {
 public:
  Judge(OpenImage& image, Findings& findings) : image_(image), findings_(findings) {}

  std::optional<Identity> run(std::vector<Client>& clients) {
    for (Client& client : clients) {
      root_ = client.root;
      look_at_certificate(client);
      look_at_key(client);
    }
    if (!certificate_) return std::nullopt;
    return Identity{.certificate = std::move(*certificate_),
                    .key = std::move(key_),
                    .certificate_places = std::move(certificate_places_),
                    .key_places = std::move(key_places_)};
  }

 private:
  /// Before what is said of the file under this path.
  [[nodiscard]] std::string prefix(const std::string& path) const {
    return prefix_of(image_, *root_, path);
  }

  void look_at_certificate(Client& client) {
    const std::string& path = *client.conf.certificate();
    const auto fails = [&](const Error& error) {
      findings_.failed(check::kCertificate, prefix(path) + error.message());
    };
    const auto file = read_named_file(client.root->tree, "HttpsClient.Certificate", path);
    if (!file) return fails(file.error());
    if (is_known(certificate_places_, file->location)) return;
    certificate_places_.push_back(file->location);
    std::size_t others = 0;
    auto certificate = read_certificate(*file, path, others);
    if (!certificate) return fails(certificate.error());
    if (certificate_ && certificate_->fingerprint() != certificate->fingerprint())
      return fails(
          Error(Code::check_failed, path + " is another certificate than in the other rootfs"));
    const auto mode = check_mode(*file, path, mender::kCertificateMode);
    if (mode) {
      std::string detail = fmt::format("{}{}, serial {}", prefix(path), certificate->subject_text(),
                                       certificate->serial_hex());
      if (others > 0)
        detail += fmt::format(" (and {} more, which clients from 4.0 on do not send)", others);
      findings_.passed(check::kCertificate, std::move(detail));
    } else {
      fails(mode.error());  // the certificate is known all the same
    }
    if (!certificate_) certificate_ = std::move(*certificate);
  }

  void look_at_key(Client& client) {
    const std::string& path = *client.conf.key();
    if (path.starts_with("pkcs11:")) {
      findings_.skipped(check::kKey, "it is in a PKCS#11 token of the device");
      return;
    }
    const auto fails = [&](const Error& error) {
      findings_.failed(check::kKey, prefix(path) + error.message());
    };
    const auto file = read_named_file(client.root->tree, "HttpsClient.Key", path);
    if (!file) return fails(file.error());
    if (is_known(key_places_, file->location)) return;
    key_places_.push_back(file->location);
    std::string form;
    auto key = read_key(*file, path, form);
    if (!key) return fails(key.error());
    judge_key(*file, path, form, *key);
    if (!key_) key_ = std::move(*key);
  }

  void judge_key(const NamedFile& file, const std::string& path, const std::string& form,
                 const crypto::PrivateKey& key) {
    if (const auto mode = check_mode(file, path, mender::kKeyMode); !mode)
      return findings_.failed(check::kKey, prefix(path) + mode.error().message());
    if (!certificate_)
      return findings_.skipped(check::kKey, "there is no certificate it could belong to");
    if (!crypto::belongs_together(key, *certificate_))
      return findings_.failed(check::kKey,
                              prefix(path) + path + " does not belong to the certificate");
    findings_.passed(check::kKey,
                     fmt::format("{}{} ({}) belongs to the certificate", prefix(path), path, form));
  }

  OpenImage& image_;
  Findings& findings_;
  const image::FileSystems::Root* root_ = nullptr;
  std::optional<crypto::Certificate> certificate_;
  std::vector<Location> certificate_places_;
  std::optional<crypto::PrivateKey> key_;
  std::vector<Location> key_places_;
};

}  // namespace

std::optional<Identity> check_identity(OpenImage& image, std::vector<Client>& clients,
                                       Findings& findings) {
  return Judge(image, findings).run(clients);
}

}  // namespace imprint::verify
