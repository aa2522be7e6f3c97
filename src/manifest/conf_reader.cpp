// What a manifest says about mender.conf. Each entry stands for a setting of the client and, where
// that names a file, for the file on the device too, so that the two cannot disagree. Which client
// refuses what is mender's knowledge (check.cpp there); here is what can be seen in the manifest
// alone.

#include "conf_reader.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "imprint/base/text.hpp"
#include "imprint/manifest/server_url.hpp"
#include "json_members.hpp"

namespace imprint::manifest {
namespace {

constexpr std::string_view kPointer = "/mender_conf";
constexpr std::string_view kInsecure = "http://";

Unexpected refuse(std::string_view named, std::string_view why) {
  return fail(Code::invalid_input, fmt::format("{}: {}", named, why));
}

/// The rootfs is what an update replaces, and the file with it; one that the fallback file names
/// has to survive as that does.
std::string device_path(ConfTarget target, std::string_view name) {
  return fmt::format("{}/{}", target == ConfTarget::rootfs ? "/etc/mender" : "/data/mender", name);
}

/// `named` is told with the error and with the warning.
Result<> add_server(std::string url, const std::string& named, MenderConfSpec& spec) {
  IMPRINT_TRY(check_server_url(url).context(fmt::format("{}: {}", named, quoted(url))));
  for (const std::string& other : spec.servers) {
    if (name_one_server(other, url))
      return refuse(named, fmt::format("{} is the same server as {} before it: name it once",
                                       quoted(url), quoted(other)));
  }
  if (url.starts_with(kInsecure)) {
    spec.warnings.push_back(
        fmt::format("{}: {} is not encrypted, and no client certificate is asked for there: use "
                    "https:// but for tests",
                    named, quoted(url)));
  }
  spec.servers.push_back(std::move(url));
  return {};
}

// --- entries
// ----------------------------------------------------------------------------------------

Result<> read_servers(const Json& object, MenderConfSpec& spec) {
  if (const Json* const url = member(object, "server_url"))
    return add_server(url->get<std::string>(), fmt::format("{}/server_url", kPointer), spec);
  const Json* const list = member(object, "servers");
  if (list == nullptr) return {};
  spec.server_list = true;
  for (const Json& url : *list) {
    const std::string pointer = fmt::format("{}/servers/{}", kPointer, spec.servers.size());
    IMPRINT_TRY(add_server(url.get<std::string>(), pointer, spec));
  }
  return {};
}

/// A token holds dots, dashes and letters, so that the words for sources cannot be one.
bool is_source(std::string_view text) {
  constexpr std::array<std::string_view, 4> kWords = {"env:", "file:", "fd:", "credential:"};
  return text == "prompt" || std::ranges::any_of(kWords, [text](std::string_view word) {
           return text.starts_with(word);
         });
}

Result<> read_tenant_token(const Json& object, const fs::path& base, MenderConfSpec& spec) {
  const Json* const value = member(object, "tenant_token");
  if (value == nullptr) return {};
  spec.tenant_token_named = fmt::format("{}/tenant_token", kPointer);
  const auto& text = value->get_ref<const std::string&>();
  if (!is_source(text)) {
    spec.tenant_token = text;
    return {};
  }
  auto source =
      IMPRINT_TRY(authority::parse_passphrase_source(text).context(spec.tenant_token_named));
  if (source.kind == authority::PassphraseSource::Kind::file)
    source.argument = (base / source.argument).string();
  spec.tenant_token = std::move(source);
  return {};
}

void set_server_certificate(fs::path from, std::string named, MenderConfSpec& spec) {
  spec.server_certificate = TrustFile{.from = std::move(from),
                                      .named = std::move(named),
                                      .to = device_path(spec.target, "server.crt")};
}

Result<> refuse_same_file(const std::vector<TrustFile>& keys) {
  for (auto key = keys.begin(); key != keys.end(); ++key) {
    const auto same = [key](const TrustFile& other) {
      return other.from.lexically_normal() == key->from.lexically_normal();
    };
    if (std::any_of(keys.begin(), key, same))
      return refuse(key->named,
                    fmt::format("{} is named twice: name it once", quoted(key->from.native())));
  }
  return {};
}

/// One key has the name that Mender's documentation gives it, several are numbered.
Result<> set_verify_keys(std::vector<TrustFile> keys, bool list, MenderConfSpec& spec) {
  IMPRINT_TRY(refuse_same_file(keys));
  for (std::size_t i = 0; i < keys.size(); ++i) {
    keys[i].to = device_path(spec.target, list ? fmt::format("artifact-verify-key-{}.pem", i + 1)
                                               : "artifact-verify-key.pem");
  }
  spec.artifact_verify_keys = std::move(keys);
  spec.artifact_verify_key_list = list;
  return {};
}

Result<> read_verify_keys(const Json& object, const fs::path& base, MenderConfSpec& spec) {
  const Json* const value = member(object, "artifact_verify_key");
  if (value == nullptr) return {};
  const std::string pointer = fmt::format("{}/artifact_verify_key", kPointer);
  std::vector<TrustFile> keys;
  if (value->is_string()) {
    keys.push_back({base / value->get<std::string>(), pointer, {}});
  } else {
    for (const Json& key : *value)
      keys.push_back(
          {base / key.get<std::string>(), fmt::format("{}/{}", pointer, keys.size()), {}});
  }
  return set_verify_keys(std::move(keys), value->is_array(), spec);
}

// --- the same thing said twice
// ----------------------------------------------------------------------

const Json* merged(const MenderConfSpec& spec, std::string_view key) {
  for (const auto& item : spec.merge->items()) {
    if (equal_ignoring_ascii_case(item.key(), key)) return &item.value();
  }
  return nullptr;
}

/// An entry beside a `merge` of the setting that it stands for, or of one that excludes it.
Result<> refuse_merged(const MenderConfSpec& spec, std::string_view entry, std::string_view setting,
                       std::string_view excluded = {}) {
  const std::string pointer = fmt::format("{}/{}", kPointer, entry);
  if (merged(spec, setting) != nullptr)
    return refuse(pointer, fmt::format("'merge' has {} too, which is the same setting: leave one "
                                       "of them out",
                                       quoted(setting)));
  const Json* const other = excluded.empty() ? nullptr : merged(spec, excluded);
  if (other == nullptr || other->is_null()) return {};
  return refuse(pointer, fmt::format("'merge' has {}, and clients refuse that together with {}: "
                                     "leave one of them out",
                                     quoted(excluded), quoted(setting)));
}

Result<> refuse_conflicts(const MenderConfSpec& spec) {
  if (!spec.servers.empty()) {
    IMPRINT_TRY(spec.server_list ? refuse_merged(spec, "servers", "Servers", "ServerURL")
                                 : refuse_merged(spec, "server_url", "ServerURL", "Servers"));
  }
  if (spec.tenant_token.index() != 0)
    IMPRINT_TRY(refuse_merged(spec, "tenant_token", "TenantToken"));
  if (spec.server_certificate)
    IMPRINT_TRY(refuse_merged(spec, "server_certificate", "ServerCertificate"));
  if (spec.artifact_verify_keys.empty()) return {};
  return spec.artifact_verify_key_list
             ? refuse_merged(spec, "artifact_verify_key", "ArtifactVerifyKeys", "ArtifactVerifyKey")
             : refuse_merged(spec, "artifact_verify_key", "ArtifactVerifyKey",
                             "ArtifactVerifyKeys");
}

}  // namespace

Result<MenderConfSpec> read_mender_conf(const Json& object, const fs::path& base) {
  MenderConfSpec spec;
  const std::string target = text_or(object, "target", word(spec.target));
  for (const ConfTarget candidate : {ConfTarget::data, ConfTarget::both}) {
    if (word(candidate) == target) spec.target = candidate;
  }
  spec.merge = std::make_shared<const Json>(object.value("merge", Json::object()));
  IMPRINT_TRY(read_servers(object, spec));
  IMPRINT_TRY(read_tenant_token(object, base, spec));
  if (const Json* const file = member(object, "server_certificate"))
    set_server_certificate(base / file->get<std::string>(),
                           fmt::format("{}/server_certificate", kPointer), spec);
  IMPRINT_TRY(read_verify_keys(object, base, spec));
  IMPRINT_TRY(refuse_conflicts(spec));
  return spec;
}

Result<> apply(const ConfOverrides& overrides, MenderConfSpec& spec) {
  if (!overrides.server_urls.empty()) {
    spec.servers.clear();
    spec.warnings.clear();  // they are all about servers
    spec.server_list = overrides.server_urls.size() > 1;
    for (const std::string& url : overrides.server_urls)
      IMPRINT_TRY(add_server(url, "--server-url", spec));
  }
  if (overrides.tenant_token_file) {
    spec.tenant_token =
        authority::PassphraseSource{.kind = authority::PassphraseSource::Kind::file,
                                    .argument = overrides.tenant_token_file->string()};
    spec.tenant_token_named = "--tenant-token-file";
  }
  if (overrides.server_certificate)
    set_server_certificate(*overrides.server_certificate, "--server-certificate", spec);
  std::vector<TrustFile> keys;
  for (const fs::path& key : overrides.artifact_verify_keys)
    keys.push_back({key, "--artifact-verify-key", {}});
  const bool list = keys.size() > 1;
  return keys.empty() ? Result<>() : set_verify_keys(std::move(keys), list, spec);
}

}  // namespace imprint::manifest
