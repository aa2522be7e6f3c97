#include "configuration.hpp"

#include <array>
#include <functional>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "imprint/base/text.hpp"
#include "imprint/pipeline/conf_files.hpp"

namespace imprint::verify {

namespace {

using mender::EffectiveConf;

/// The first reason for which clients would not do what the files seem to say.
std::optional<std::string> objection(const pipeline::ConfFiles& files) {
  const mender::ConfFindings judged = mender::check_conf(files.main, files.fallback);
  if (!judged.errors.empty()) return judged.errors.front();
  if (!judged.warnings.empty()) return judged.warnings.front();
  return std::nullopt;
}

/// A setting in which two root file systems must not differ, as text.
struct Setting {
  std::string_view name;
  std::string (*value)(const EffectiveConf&);
};

std::string text_or_none(const std::optional<std::string>& text) {
  return text.value_or("");
}

const std::array kSettings = {
    Setting{"HttpsClient.Certificate",
            [](const EffectiveConf& conf) { return text_or_none(conf.certificate()); }},
    Setting{"HttpsClient.Key", [](const EffectiveConf& conf) { return text_or_none(conf.key()); }},
    Setting{"Security.AuthPrivateKey",
            [](const EffectiveConf& conf) { return text_or_none(conf.auth_private_key()); }},
    Setting{"ServerURL", [](const EffectiveConf& conf) { return text_or_none(conf.server_url()); }},
    Setting{"ServerCertificate",
            [](const EffectiveConf& conf) { return text_or_none(conf.server_certificate()); }},
    Setting{"ArtifactVerifyKey",
            [](const EffectiveConf& conf) {
              return fmt::format("{}", fmt::join(conf.artifact_verify_keys(), "\n"));
            }},
    Setting{"TenantToken",
            [](const EffectiveConf& conf) {
              return std::string(conf.has_tenant_token() ? "set" : "");
            }},
};

std::optional<std::string> difference(const EffectiveConf& one, const EffectiveConf& other) {
  for (const Setting& setting : kSettings) {
    if (setting.value(one) != setting.value(other)) return std::string(setting.name);
  }
  return std::nullopt;
}

class Judge {
 public:
  Judge(OpenImage& image, Findings& findings) : image_(image), findings_(findings) {}

  std::vector<Client> run() {
    for (image::FileSystems::Root& root : image_.roots)
      look_at(root);
    return std::move(clients_);
  }

 private:
  void look_at(image::FileSystems::Root& root) {
    const std::string prefix = prefix_of(image_, root);
    const auto failed = [&](std::string_view why) {
      findings_.failed(check::kConfiguration, fmt::format("{}{}", prefix, why));
    };
    const auto files = pipeline::read_conf_files(root);
    if (!files) return failed(files.error().message());
    if (root.is_second && !files->main) {
      return findings_.skipped(
          check::kConfiguration,
          prefix + "it has no mender.conf, and gets one with its first update");
    }
    if (const auto why = objection(*files)) return failed(*why);
    auto conf = mender::effective_conf(files->main, files->fallback);
    if (!conf) return failed(conf.error().message());
    if (!conf->certificate() || !conf->key())
      return failed("HttpsClient names no certificate and key: the device has no identity");
    if (const auto& url = conf->server_url(); url && !to_lower_ascii(*url).starts_with("https://"))
      return failed("ServerURL is not https://, so that the client shows no certificate");
    if (conf->skip_verify())
      return failed("SkipVerify is set: the client takes anybody for its server");
    if (!clients_.empty()) {
      if (const auto setting = difference(clients_.front().conf, *conf))
        return failed(
            fmt::format("{} is not what it is in {}", *setting, clients_.front().root->label));
    }
    findings_.passed(check::kConfiguration,
                     prefix + conf->server_url().value_or("no server in mender.conf"));
    clients_.push_back({.root = &root, .conf = std::move(*conf)});
  }

  OpenImage& image_;
  Findings& findings_;
  std::vector<Client> clients_;
};

}  // namespace

std::vector<Client> check_configuration(OpenImage& image, Findings& findings) {
  return Judge(image, findings).run();
}

}  // namespace imprint::verify
