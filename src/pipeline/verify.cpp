#include "imprint/pipeline/verify.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "check_conf.hpp"
#include "imprint/base/text.hpp"
#include "imprint/files/image.hpp"
#include "imprint/image/partition.hpp"
#include "imprint/mender/conf.hpp"
#include "imprint/mender/paths.hpp"

namespace imprint::pipeline {

namespace {

constexpr unsigned kKeyMode = 0600;
constexpr unsigned kCertificateMode = 0644;

/// Collects checks; what one cannot look at because an earlier one failed is left out, not guessed.
class Verification {
 public:
  Verification(ImageVerdict& verdict, const VerifyRequest& request)
      : verdict_(verdict),
        request_(request) {}

  void run() {
    image::Unpacking unpacking = request_.unpacking;
    if (unpacking.directory.empty()) unpacking.directory = image::temporary_directory();
    const files::ViewOptions options{.engine = request_.engine.engine,
                                     .appliance = appliance_options(request_.engine),
                                     .layout = request_.layout,
                                     .partition = {}};
    const auto view = files::ImageView::open(verdict_.image, options, unpacking);
    if (!view) return failed("partitions", view.error().message());
    const image::Layout& layout = (*view)->layout();
    const auto data = image::data_partition(layout, verdict_.image);
    if (!data) return failed("partitions", data.error().message());
    passed("partitions", fmt::format("{} partitions, data is partition {}",
                                     layout.partitions.size(), data->number));

    const auto passed_over = open_all((*view)->file_systems());
    if (!passed_over) return failed("file-systems", passed_over.error().message());
    passed("file-systems", passed_over->empty() ? "clean" : "clean; " + *passed_over);
    for (image::FileSystems::Root& root : (*view)->roots())
      verify_root(root);
  }

 private:
  void passed(std::string name, std::string detail) {
    verdict_.checks.push_back({std::move(name), true, std::move(detail)});
  }

  void failed(std::string name, std::string detail) {
    verdict_.checks.push_back({std::move(name), false, std::move(detail)});
  }

  /// Opening is what finds a dirty journal, an error flag, a wrong checksum. A root of a kind that
  /// cannot be read here may still lead to data; says which.
  static Result<std::string> open_all(image::FileSystems& file_systems) {
    const image::Layout& layout = file_systems.layout();
    if (layout.data) IMPRINT_TRY(file_systems.at(layout.data->number));
    std::string passed_over;
    for (const auto& role : {layout.rootfs_a, layout.rootfs_b}) {
      if (!role) continue;
      const auto opened = file_systems.at(role->number);
      if (opened) continue;
      if (opened.error().code != Code::unsupported) return fail(opened.error());
      passed_over += fmt::format("{}{} is not looked into ({})", passed_over.empty() ? "" : ", ",
                                 file_systems.label_of(*role), opened.error().message());
    }
    return passed_over;
  }

  void verify_root(image::FileSystems::Root& root) {
    const auto main = read_main_conf(root);
    const auto fallback = read_text(root.tree, mender::kFallbackConf);
    if (!main) return failed("configuration", main.error().message());
    if (!fallback) return failed("configuration", fallback.error().message());
    const mender::ConfFindings findings = mender::check_conf(*main, *fallback);
    if (!findings.errors.empty())
      return failed("configuration", root.label + ": " + findings.errors.front());
    const auto conf = mender::effective_conf(*main, *fallback);
    if (!conf) return failed("configuration", root.label + ": " + conf.error().message());
    const auto certificate_path = conf->certificate();
    const auto key_path = conf->key();
    if (!certificate_path || !key_path)
      return failed("configuration", root.label + ": HttpsClient names no certificate and key");
    // Clients from 4.0 on sign with this key only; with mutual TLS it must be the certificate's.
    if (conf->auth_private_key() != key_path) {
      return failed("configuration",
                    root.label + ": Security.AuthPrivateKey is not HttpsClient.Key");
    }
    passed("configuration",
           fmt::format("{}: {}", root.label, conf->server_url().value_or("no server URL")));
    verify_identity(root, *certificate_path, *key_path);
  }

  bool verify_file(image::FileSystems::Root& root, const std::string& check,
                   const std::string& path, unsigned mode) {
    const auto node = root.tree.stat(path);
    if (!node) {
      failed(check, fmt::format("{}: {}", root.label, node.error().message()));
      return false;
    }
    if (node->mode != mode || node->uid != 0 || node->gid != 0) {
      failed(check, fmt::format("{}: {} is {:04o} {}:{}, should be {:04o} 0:0", root.label, path,
                                node->mode, node->uid, node->gid, mode));
      return false;
    }
    return true;
  }

  void verify_identity(image::FileSystems::Root& root, const std::string& certificate_path,
                       const std::string& key_path) {
    if (!verify_file(root, "certificate", certificate_path, kCertificateMode)) return;
    if (!verify_file(root, "key", key_path, kKeyMode)) return;
    const auto pem = root.tree.read_file(certificate_path);
    if (!pem) return failed("certificate", pem.error().message());
    const auto certificate = crypto::Certificate::parse(*pem);
    if (!certificate)
      return failed("certificate",
                    fmt::format("{}: {}", certificate_path, certificate.error().message()));
    verdict_.certificate_subject = certificate->subject_text();
    verdict_.certificate_sha256 = to_hex(certificate->fingerprint());
    verdict_.serial_hex = certificate->serial_hex();
    passed("certificate",
           fmt::format("{}, serial {}", certificate->subject_text(), certificate->serial_hex()));

    const auto key_pem = root.tree.read_file(key_path);
    if (!key_pem) return failed("key", key_pem.error().message());
    const auto key = crypto::PrivateKey::from_pem(*key_pem);
    if (!key) return failed("key", fmt::format("{}: {}", key_path, key.error().message()));
    if (!crypto::belongs_together(*key, *certificate))
      return failed("key", key_path + " does not belong to the certificate");
    passed("key", key_path + " belongs to the certificate");
    verify_chain(*certificate);
  }

  void verify_chain(const crypto::Certificate& certificate) {
    const std::string validity = fmt::format("{} to {}", to_rfc3339(certificate.not_before()),
                                             to_rfc3339(certificate.not_after()));
    if (request_.at < certificate.not_before() || request_.at > certificate.not_after()) {
      return failed("validity", fmt::format("{}, not at {}", validity, to_rfc3339(request_.at)));
    }
    passed("validity", validity);
    if (request_.trusted.empty()) return;  // nobody said whom to trust
    const auto verify = [&](crypto::Strictness strictness) {
      return crypto::verify_client_certificate(certificate, {}, request_.trusted, request_.at,
                                               strictness);
    };
    const std::string issuer = "issued by " + certificate.issuer_text();
    const auto strict = verify(crypto::Strictness::strict);
    if (strict) return passed("chain", issuer);
    // An old CA (version 1, say, or without a key identifier) serves; whoever verifies is told.
    const auto plain = verify(crypto::Strictness::plain);
    if (!plain) return failed("chain", plain.error().message());
    passed("chain",
           fmt::format("{} (not by the strict rules: {})", issuer, strict.error().message()));
  }

  ImageVerdict& verdict_;
  const VerifyRequest& request_;
};

}  // namespace

bool ImageVerdict::passed() const noexcept {
  return !checks.empty() &&
         std::all_of(checks.begin(), checks.end(), [](const Check& check) { return check.passed; });
}

ImageVerdict verify_image(const fs::path& image, const VerifyRequest& request) {
  ImageVerdict verdict{.image = image,
                       .checks = {},
                       .certificate_subject = {},
                       .certificate_sha256 = {},
                       .serial_hex = {}};
  Verification(verdict, request).run();
  return verdict;
}

}  // namespace imprint::pipeline
