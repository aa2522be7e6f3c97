// What is wrong or doubtful about a pair of mender.conf files, before a device finds out.
//
// Devices fail silently here: a client from 4.0 on skips a default file that it refuses, with a
// warning in its own log, and then runs without a server or without its identity. Messages never
// show values, since a `pkcs11:` key may contain a PIN.
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "conf_files.hpp"
#include "imprint/base/text.hpp"
#include "imprint/mender/conf.hpp"
#include "imprint/mender/paths.hpp"

namespace imprint::mender {
namespace {

using Kind = JsonNode::Kind;
using Lines = std::vector<std::string>;

struct KnownSetting {
  std::string_view section;  ///< empty: at the root
  std::string_view key;
  Kind kind;
};

/// Settings on which reaching the server with the right identity depends.
constexpr std::array kKnownSettings = {
    KnownSetting{"", "ServerURL", Kind::string},
    KnownSetting{"", "Servers", Kind::array},
    KnownSetting{"", "ServerCertificate", Kind::string},
    KnownSetting{"", "TenantToken", Kind::string},
    KnownSetting{"", "HttpsClient", Kind::object},
    KnownSetting{"HttpsClient", "Certificate", Kind::string},
    KnownSetting{"HttpsClient", "Key", Kind::string},
    KnownSetting{"HttpsClient", "SSLEngine", Kind::string},
    KnownSetting{"", "Security", Kind::object},
    KnownSetting{"Security", "AuthPrivateKey", Kind::string},
    KnownSetting{"Security", "SSLEngine", Kind::string},
};

std::string_view article_and_name(Kind kind) {
  switch (kind) {
    case Kind::object:
      return "an object";
    case Kind::array:
      return "a list";
    default:
      return "a string";
  }
}

std::string full_name(const KnownSetting& setting) {
  return setting.section.empty() ? std::string(setting.key)
                                 : fmt::format("{}.{}", setting.section, setting.key);
}

/// The objects in which `section` can stand: the root itself, or its members of that name.
std::vector<const JsonNode*> objects_of(const ConfFile& file, std::string_view section) {
  if (section.empty()) return {&file.root};
  std::vector<const JsonNode*> objects;
  for (const JsonMember* member : file.root.find(section)) {
    if (member->value.is_object()) objects.push_back(&member->value);
  }
  return objects;
}

// --- what clients refuse
// ----------------------------------------------------------------------------

/// Two settings that exclude each other, in the same file or across the two. Clients from 4.0 on
/// notice it across files in one order only; older ones always do.
void check_exclusive(const std::vector<ConfFile>& files, std::string_view single,
                     std::string_view list, Lines& errors) {
  const ConfFile* with_single = nullptr;
  const ConfFile* with_list = nullptr;
  for (const ConfFile& file : files) {
    if (file.string_at("", single)) with_single = &file;
    if (file.find(list) != nullptr) with_list = &file;
  }
  if (with_single == nullptr || with_list == nullptr) return;
  errors.push_back(fmt::format("{} in {} and {} in {}: clients refuse the two together, remove one",
                               quoted(single), with_single->quoted_path(), quoted(list),
                               with_list->quoted_path()));
}

/// Clients from 4.0 on make no connection then, older ones make one without the certificate.
void check_pair(const std::vector<ConfFile>& files, Lines& errors) {
  const bool certificate = effective_string(files, "HttpsClient", "Certificate").has_value();
  const bool key = effective_string(files, "HttpsClient", "Key").has_value();
  if (certificate == key) return;
  errors.push_back(
      fmt::format("'HttpsClient.{}' is set, 'HttpsClient.{}' is not: clients need both or none",
                  certificate ? "Certificate" : "Key", certificate ? "Key" : "Certificate"));
}

// --- what is seldom meant
// ---------------------------------------------------------------------------

void check_types(const ConfFile& file, Lines& warnings) {
  for (const KnownSetting& setting : kKnownSettings) {
    for (const JsonNode* object : objects_of(file, setting.section)) {
      for (const JsonMember* member : object->find(setting.key)) {
        if (member->value.kind == setting.kind || member->value.kind == Kind::null) continue;
        warnings.push_back(fmt::format(
            "{} in {} is not {}: clients before 4.0 refuse the whole file, later ones ignore the "
            "setting",
            quoted(full_name(setting)), file.quoted_path(), article_and_name(setting.kind)));
      }
    }
  }
}

/// Clients before 4.0 take the last of the twins, later ones that which sorts first.
void check_twins(const ConfFile& file, const JsonNode& object, Lines& warnings) {
  for (std::size_t i = 0; i < object.members.size(); ++i) {
    const std::string& key = object.members[i].key;
    for (std::size_t j = 0; j < i; ++j) {
      const std::string& earlier = object.members[j].key;
      if (earlier == key || !equal_ignoring_ascii_case(earlier, key)) continue;
      warnings.push_back(fmt::format(
          "{} and {} in {} are one setting, and clients differ in which of them counts: keep one",
          quoted(earlier), quoted(key), file.quoted_path()));
      break;
    }
  }
}

void check_server(const std::vector<ConfFile>& files, Lines& missing) {
  if (effective_server(files)) return;
  missing.emplace_back(
      "no server: set 'ServerURL' or 'Servers' in mender.conf, or devices will have nobody to ask");
}

/// A fallback setting that is there to survive updates, but has no say while the main file has its
/// own.
void check_overridden(const ConfFile& fallback, const ConfFile& main, Lines& warnings) {
  for (const KnownSetting& setting : kKnownSettings) {
    if (setting.section.empty()) continue;
    const auto below = fallback.string_at(setting.section, setting.key);
    const auto above = main.string_at(setting.section, setting.key);
    if (!below || !above || *below == *above) continue;
    warnings.push_back(fmt::format(
        "{} in {} overrides a different one in {}: make them the same, or remove it from the first",
        quoted(full_name(setting)), main.quoted_path(), fallback.quoted_path()));
  }
}

void check_signing_key(const std::vector<ConfFile>& files, Lines& warnings) {
  const auto tls = effective_string(files, "HttpsClient", "Key");
  if (!tls) return;
  const auto signing = effective_string(files, "Security", "AuthPrivateKey");
  if (signing == tls) return;
  warnings.push_back(signing ? "'Security.AuthPrivateKey' is not the key of 'HttpsClient.Key': "
                               "clients sign with the former, and the gateway "
                               "refuses requests signed with another key than the certificate's"
                             : "'HttpsClient.Key' is set, 'Security.AuthPrivateKey' is not: "
                               "clients from 4.0 on sign with a key of their own "
                               "then, which the gateway refuses; set both to the same key");
}

}  // namespace

ConfFindings check_conf(std::optional<std::string_view> main,
                        std::optional<std::string_view> fallback) {
  ConfFindings findings;
  std::vector<ConfFile> files;  // in the order in which clients read them
  const auto read = [&](std::string_view path, std::optional<std::string_view> text) {
    if (!text) return;
    auto file = read_conf_file(path, *text);
    if (file) {
      files.push_back(std::move(*file));
    } else {
      findings.errors.push_back(file.error().message());
    }
  };
  read(kFallbackConf, fallback);
  read(kMainConf, main);
  // Half of the settings is no ground to judge the whole.
  if (!findings.errors.empty()) return findings;

  check_exclusive(files, "ServerURL", "Servers", findings.errors);
  check_exclusive(files, "ArtifactVerifyKey", "ArtifactVerifyKeys", findings.errors);
  check_pair(files, findings.errors);

  for (const ConfFile& file : files) {
    check_types(file, findings.warnings);
    check_twins(file, file.root, findings.warnings);
    for (const std::string_view section : {"HttpsClient", "Security"}) {
      for (const JsonNode* object : objects_of(file, section))
        check_twins(file, *object, findings.warnings);
    }
  }
  check_server(files, findings.missing);
  if (files.size() == 2) check_overridden(files.front(), files.back(), findings.warnings);
  check_signing_key(files, findings.warnings);
  return findings;
}

}  // namespace imprint::mender
