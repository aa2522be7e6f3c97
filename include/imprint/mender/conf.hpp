#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "imprint/base/result.hpp"

/// The rules of `mender.conf`, text in and text out. All functions are pure and may be called from
/// any thread. Keys are compared ignoring ASCII case, as the clients do.
namespace imprint::mender {

/// `existing` with `settings` merged in, RFC 7386-like: objects merge key by key, null removes,
/// anything else replaces. What is not mentioned keeps its place, its spelling and its very text
/// (numbers, escapes, layout); what is new goes to the end of its object, laid out as its
/// neighbours are. A final newline stays present or absent. Merging the same settings again changes
/// nothing.
///
/// Keys that differ only in case are one setting. Where `existing` has such twins of a merged key,
/// they become one, in the place and spelling of the first; twins of other keys stay, because
/// clients do not agree which of them counts (check_conf warns).
///
/// Fails with Code::invalid_input: `line L, column C: reason` (from 1, columns in bytes) when
/// `existing` is not valid UTF-8 or no JSON object; or when `settings` is no object, has twins or
/// invalid UTF-8.
[[nodiscard]] Result<std::string> merge_conf(std::string_view existing,
                                             const nlohmann::ordered_json& settings);

/// The settings that make a client use a device's certificate and key, both given as paths on the
/// device: `{HttpsClient{Certificate,Key}, Security{AuthPrivateKey}}`.
[[nodiscard]] nlohmann::ordered_json identity_settings(std::string_view certificate_path,
                                                       std::string_view key_path);

/// What a client ends up with after reading its two files. Absent: no file sets it, or only to an
/// empty string, which is the same to clients, or to a value of a type that they ignore.
class EffectiveConf {
 public:
  struct Values {
    std::optional<std::string> certificate;
    std::optional<std::string> key;
    std::optional<std::string> auth_private_key;
    std::optional<std::string> server_url;
    std::optional<std::string> server_certificate = std::nullopt;
    std::vector<std::string> artifact_verify_keys = {};
    bool has_tenant_token = false;
    bool skip_verify = false;
  };

  explicit EffectiveConf(Values values) : values_(std::move(values)) {}

  /// HttpsClient.Certificate.
  [[nodiscard]] const std::optional<std::string>& certificate() const {
    return values_.certificate;
  }

  /// HttpsClient.Key.
  [[nodiscard]] const std::optional<std::string>& key() const { return values_.key; }

  /// Security.AuthPrivateKey.
  [[nodiscard]] const std::optional<std::string>& auth_private_key() const {
    return values_.auth_private_key;
  }

  /// ServerURL, or the first of Servers.
  [[nodiscard]] const std::optional<std::string>& server_url() const { return values_.server_url; }

  /// ServerCertificate, trusted beside the system's CAs.
  [[nodiscard]] const std::optional<std::string>& server_certificate() const {
    return values_.server_certificate;
  }

  /// ArtifactVerifyKey, or all of ArtifactVerifyKeys.
  [[nodiscard]] const std::vector<std::string>& artifact_verify_keys() const {
    return values_.artifact_verify_keys;
  }

  /// Whether there is a TenantToken. What it is, is nobody's business.
  [[nodiscard]] bool has_tenant_token() const { return values_.has_tenant_token; }

  /// SkipVerify: the client takes any server for the right one.
  [[nodiscard]] bool skip_verify() const { return values_.skip_verify; }

 private:
  Values values_;
};

/// Reads the files as a client does: the fallback first, then main over it, setting by setting (in
/// HttpsClient and Security, sub-key by sub-key). std::nullopt is a file that does not exist.
/// Fails with Code::invalid_input, naming the file, line and column, when one of them is no JSON
/// object.
[[nodiscard]] Result<EffectiveConf> effective_conf(std::optional<std::string_view> main,
                                                   std::optional<std::string_view> fallback);

/// One line each.
struct ConfFindings {
  std::vector<std::string> errors;    ///< a client would refuse this, in part or as a whole
  std::vector<std::string> warnings;  ///< allowed, but clients differ in it, or it is seldom meant
  std::vector<std::string> missing;   ///< what a client needs and no file has
};

/// Which of these settings (members of an object) a client would not have: the name of each that
/// the other file, or the same one, sets to something else, or neither does. Objects and null are
/// passed over. Values are not shown, they may be secret. Fails as effective_conf does.
[[nodiscard]] Result<std::vector<std::string>> overridden_settings(
    std::optional<std::string_view> main, std::optional<std::string_view> fallback,
    const nlohmann::ordered_json& settings);

/// Judges the two files together. std::nullopt is a file that does not exist.
[[nodiscard]] ConfFindings check_conf(std::optional<std::string_view> main,
                                      std::optional<std::string_view> fallback);

}  // namespace imprint::mender
