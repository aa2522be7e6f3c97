#include "spec.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "imprint/crypto/usage.hpp"

namespace imprint::crypto {

namespace {

bool is_rsa(KeyKind kind) noexcept {
  return kind == KeyKind::rsa_2048 || kind == KeyKind::rsa_3072 || kind == KeyKind::rsa_4096;
}

/// An empty subject, with the names that stand in for it.
Result<> check_subject_less(const ProfileSpec& spec) {
  if (spec.alt_names.empty()) {
    return fail(Code::invalid_input,
                "the subject of a device certificate is empty; give at least a CN, or names in the "
                "SAN (RFC 5280 4.1.2.6)");
  }
  if (std::ranges::all_of(spec.alt_names, [](const ProfileAltName& name) {
        return name.kind == AltNameKind::hardware_module;
      })) {
    return fail(Code::invalid_input,
                "without a subject the SAN is critical (RFC 5280 4.2.1.6), and servers written in "
                "Go refuse a critical SAN that holds nothing but a hardwareModuleName; give a "
                "subject, or a DNS or URI name too");
  }
  return {};
}

std::string joined_names(const ProfileSpec& spec) {
  std::string names;
  for (const ProfileAltName& name : spec.alt_names)
    names += (names.empty() ? "" : ", ") + std::string(word(name.kind));
  return names;
}

}  // namespace

std::vector<KeyUsage> key_usages(const ProfileSpec& spec) {
  if (spec.key_usage) return *spec.key_usage;
  if (is_rsa(spec.key)) return {KeyUsage::digital_signature, KeyUsage::key_encipherment};
  return {KeyUsage::digital_signature};
}

std::vector<int> key_usage_bits(const ProfileSpec& spec) {
  std::vector<int> bits;
  for (const KeyUsage usage : key_usages(spec))
    bits.push_back(static_cast<int>(usage));  // numbered alike
  return bits;
}

Result<std::vector<std::string>> purpose_ids(const ProfileSpec& spec) {
  std::vector<std::string> ids;
  for (const std::string& purpose : spec.extended_key_usage)
    ids.push_back(IMPRINT_TRY(extended_key_usage_id(purpose)));
  return ids;
}

Result<> check_spec(const ProfileSpec& spec) {
  if (spec.not_after <= spec.not_before) {
    return fail(Code::invalid_input,
                fmt::format("a certificate from {} to {} is never valid",
                            to_rfc3339(spec.not_before), to_rfc3339(spec.not_after)));
  }
  if (spec.subject.empty()) IMPRINT_TRY(check_subject_less(spec));
  for (const ProfileAttribute& attribute : spec.subject) {
    if (attribute.constant) IMPRINT_TRY(check_name_value(attribute.field, *attribute.constant));
  }
  for (const ProfileAltName& name : spec.alt_names) {
    if (name.constant) IMPRINT_TRY(check_alt_name(name.kind, *name.constant));
    if (name.kind == AltNameKind::hardware_module) {
      IMPRINT_TRY(check_object_id(name.hardware_type).context("hardware type"));
    }
  }
  IMPRINT_TRY(check_key_usage(spec.key, key_usages(spec)));
  IMPRINT_TRY(check_extended_key_usage(spec.extended_key_usage));
  return check_policies(spec.policies);
}

std::vector<std::string> describe_extensions(const ProfileSpec& spec) {
  std::vector<std::string> lines;
  if (spec.basic_constraints) lines.emplace_back("basicConstraints (critical): no CA");
  std::vector<std::string_view> usages;
  for (const KeyUsage usage : key_usages(spec))
    usages.push_back(word(usage));
  if (!usages.empty())
    lines.push_back(fmt::format("keyUsage (critical): {}", fmt::join(usages, ", ")));
  std::vector<std::string> purposes;
  for (const std::string& purpose : spec.extended_key_usage)
    purposes.push_back(extended_key_usage_word(purpose));
  if (!purposes.empty())
    lines.push_back(fmt::format("extendedKeyUsage: {}", fmt::join(purposes, ", ")));
  if (!spec.policies.empty())
    lines.push_back(fmt::format("certificatePolicies: {}", fmt::join(spec.policies, ", ")));
  if (spec.subject_key_identifier) lines.emplace_back("subjectKeyIdentifier");
  if (spec.authority_key_identifier) lines.emplace_back("authorityKeyIdentifier");
  if (!spec.alt_names.empty()) {
    lines.push_back(fmt::format("subjectAltName{}: {}", spec.subject.empty() ? " (critical)" : "",
                                joined_names(spec)));
  }
  return lines;
}

}  // namespace imprint::crypto
