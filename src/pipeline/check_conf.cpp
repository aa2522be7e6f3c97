#include "check_conf.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "imprint/base/text.hpp"
#include "imprint/mender/conf.hpp"
#include "imprint/pipeline/conf_files.hpp"

namespace imprint::pipeline {

namespace {

void add_once(std::vector<std::string>& list, std::string text) {
  if (std::find(list.begin(), list.end(), text) == list.end()) list.push_back(std::move(text));
}

/// Without a rootfs in the image, or with one that is beyond us (squashfs), only the fallback file
/// can be judged: the main file is wherever the rootfs comes from.
Result<> check_root(const image::FileSystems::Root& root, const ConfFiles& conf,
                    const WantedConf& wanted, std::vector<std::string>& warnings) {
  const auto& [main, fallback] = conf;
  const mender::ConfFindings findings = mender::check_conf(main, fallback);
  if (!findings.errors.empty())
    return fail(Code::invalid_input, fmt::format("{}: {}", root.label, findings.errors.front()));
  for (const std::string& warning : findings.warnings)
    add_once(warnings, warning);
  for (const std::string& missing : findings.missing)
    add_once(warnings, missing);

  const manifest::IdentitySpec& identity = wanted.identity;
  const mender::EffectiveConf effective = IMPRINT_TRY(mender::effective_conf(main, fallback));
  const auto expect = [&](std::string_view setting, const std::optional<std::string>& found,
                          const std::string& named) -> Result<> {
    if (found == named) return {};
    return fail(Code::invalid_input,
                fmt::format("{}: {} would be {} instead of {}: another file of the image overrides "
                            "it; set mender_conf.target to 'both'",
                            root.label, setting, found ? quoted(*found) : "unset", quoted(named)));
  };
  IMPRINT_TRY(
      expect("HttpsClient.Certificate", effective.certificate(), identity.certificate_path));
  IMPRINT_TRY(expect("HttpsClient.Key", effective.key(), identity.key_path));
  IMPRINT_TRY(expect("Security.AuthPrivateKey", effective.auth_private_key(), identity.key_path));
  const auto overridden = IMPRINT_TRY(mender::overridden_settings(main, fallback, wanted.settings));
  if (overridden.empty()) return {};
  return fail(Code::invalid_input,
              fmt::format("{}: {} would not be what the manifest says: another file of the image "
                          "overrides it; set mender_conf.target to 'both'",
                          root.label, overridden.front()));
}

}  // namespace

Result<> check_configuration(image::FileSystems& file_systems, const WantedConf& wanted,
                             std::vector<std::string>& warnings) {
  for (std::size_t i = 0; i < file_systems.roots().size(); ++i) {
    image::FileSystems::Root& root = file_systems.roots()[i];
    // A second rootfs without a configuration gets one with its first update, not from us.
    const ConfFiles conf = IMPRINT_TRY(read_conf_files(root));
    if (i > 0 && !conf.main) continue;
    IMPRINT_TRY(check_root(root, conf, wanted, warnings));
  }
  return {};
}

}  // namespace imprint::pipeline
