// What a client makes of its configuration. The rules are those of the client's LoadConfig (Go,
// before 4.0) and MenderConfigFromFile::LoadFile (C++, from 4.0 on); where the two differ, the
// comment says so.
#include "imprint/mender/conf.hpp"

#include <nlohmann/json.hpp>

#include "conf_files.hpp"
#include "imprint/mender/paths.hpp"

namespace imprint::mender {

// HttpsClient alone gives TLS its certificate and key, and clients before 4.0 sign their
// authorization requests with that key too. Clients from 4.0 on never do: they sign with
// Security.AuthPrivateKey, or else with a mender-agent.pem that they make themselves. The mTLS
// gateway refuses a request that is signed by another key than the certificate's, so both settings
// name the same file. Older clients only log that the second one takes precedence.
nlohmann::ordered_json identity_settings(std::string_view certificate_path,
                                         std::string_view key_path) {
  nlohmann::ordered_json settings;
  settings["HttpsClient"]["Certificate"] = certificate_path;
  settings["HttpsClient"]["Key"] = key_path;
  settings["Security"]["AuthPrivateKey"] = key_path;
  return settings;
}

namespace {

/// In the order in which clients read them.
Result<std::vector<ConfFile>> read_files(std::optional<std::string_view> main,
                                         std::optional<std::string_view> fallback) {
  std::vector<ConfFile> files;
  if (fallback) files.push_back(IMPRINT_TRY(read_conf_file(kFallbackConf, *fallback)));
  if (main) files.push_back(IMPRINT_TRY(read_conf_file(kMainConf, *main)));
  return files;
}

/// What the last file that has this key says, null when none has it.
nlohmann::ordered_json last_value(const std::vector<ConfFile>& files, std::string_view key) {
  nlohmann::ordered_json value;
  for (const ConfFile& file : files) {
    if (const JsonNode* node = file.find(key))
      value = nlohmann::ordered_json::parse(node->in(file.text), nullptr, false);
  }
  return value;
}

}  // namespace

Result<EffectiveConf> effective_conf(std::optional<std::string_view> main,
                                     std::optional<std::string_view> fallback) {
  const std::vector<ConfFile> files = IMPRINT_TRY(read_files(main, fallback));
  return EffectiveConf({
      .certificate = effective_string(files, "HttpsClient", "Certificate"),
      .key = effective_string(files, "HttpsClient", "Key"),
      .auth_private_key = effective_string(files, "Security", "AuthPrivateKey"),
      .server_url = effective_server(files),
      .server_certificate = effective_string(files, "", "ServerCertificate"),
      .artifact_verify_keys = effective_verify_keys(files),
      .has_tenant_token = effective_string(files, "", "TenantToken").has_value(),
      .skip_verify = effective_flag(files, "SkipVerify"),
  });
}

Result<std::vector<std::string>> overridden_settings(std::optional<std::string_view> main,
                                                     std::optional<std::string_view> fallback,
                                                     const nlohmann::ordered_json& settings) {
  const std::vector<ConfFile> files = IMPRINT_TRY(read_files(main, fallback));
  std::vector<std::string> names;
  for (const auto& item : settings.items()) {
    if (item.value().is_object() || item.value().is_null()) continue;
    if (last_value(files, item.key()) != item.value()) names.push_back(item.key());
  }
  return names;
}

}  // namespace imprint::mender
