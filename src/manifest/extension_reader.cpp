// What a certificate says its key is for. A device proves itself by a signature in the TLS
// handshake: a certificate that forbids that is accepted by nobody, and every verifier says so only
// when the device is in the field. So it is an error here.

#include <algorithm>

#include <fmt/format.h>

#include "identity_reader.hpp"
#include "imprint/base/text.hpp"
#include "imprint/crypto/usage.hpp"
#include "json_members.hpp"

namespace imprint::manifest {
namespace {

Result<> read_key_usage(const Json* array, IdentitySpec& identity) {
  constexpr const char* kPointer = "/identity/key_usage";
  if (array == nullptr) return {};
  std::vector<crypto::KeyUsage> usages;
  for (const Json& element : *array) {
    const auto usage = crypto::parse_key_usage(element.get_ref<const std::string&>());
    if (!usage) {
      return fail(Error(usage.error()).context(fmt::format("{}/{}", kPointer, usages.size())));
    }
    usages.push_back(*usage);
  }
  IMPRINT_TRY(crypto::check_key_usage(identity.key, usages).context(kPointer));
  if (!usages.empty() &&
      std::ranges::find(usages, crypto::KeyUsage::digital_signature) == usages.end()) {
    return fail(Code::invalid_input,
                fmt::format("{}: lacks 'digitalSignature', and servers refuse a client whose key "
                            "may not sign; add it, or give [] for a certificate without keyUsage",
                            kPointer));
  }
  identity.key_usage = std::move(usages);
  return {};
}

std::vector<std::string> texts_of(const Json& array) {
  std::vector<std::string> texts;
  for (const Json& element : array)
    texts.push_back(element.get<std::string>());
  return texts;
}

bool has_purpose(const std::vector<std::string>& purposes, std::string_view id) {
  return std::ranges::any_of(purposes, [id](const std::string& purpose) {
    const auto dotted = crypto::extended_key_usage_id(purpose);
    return dotted && *dotted == id;
  });
}

Result<> read_extended_key_usage(const Json* array, IdentitySpec& identity) {
  constexpr const char* kPointer = "/identity/extended_key_usage";
  if (array == nullptr) return {};
  std::vector<std::string> purposes = texts_of(*array);
  IMPRINT_TRY(crypto::check_extended_key_usage(purposes).context(kPointer));
  const bool any = has_purpose(purposes, crypto::kAnyExtendedKeyUsage);
  if (!purposes.empty() && !has_purpose(purposes, crypto::kClientAuthentication)) {
    return fail(
        Code::invalid_input,
        fmt::format("{}: lacks 'clientAuth', and servers refuse such a client{}; add it, "
                    "or give [] for a certificate without extendedKeyUsage",
                    kPointer, any ? " (OpenSSL does not take anyExtendedKeyUsage for it)" : ""));
  }
  if (any) {
    identity.warnings.push_back(fmt::format(
        "{}: anyExtendedKeyUsage lets the devices' keys serve every purpose", kPointer));
  }
  identity.extended_key_usage = std::move(purposes);
  return {};
}

}  // namespace

Result<> read_extensions(const Json& object, IdentitySpec& identity) {
  IMPRINT_TRY(read_key_usage(member(object, "key_usage"), identity));
  IMPRINT_TRY(read_extended_key_usage(member(object, "extended_key_usage"), identity));
  if (const Json* const policies = member(object, "policies")) {
    identity.policies = texts_of(*policies);
    IMPRINT_TRY(crypto::check_policies(identity.policies).context("/identity/policies"));
  }
  identity.basic_constraints = object.value("basic_constraints", identity.basic_constraints);
  identity.subject_key_identifier =
      object.value("subject_key_identifier", identity.subject_key_identifier);
  identity.authority_key_identifier =
      object.value("authority_key_identifier", identity.authority_key_identifier);
  if (!identity.authority_key_identifier) {
    identity.warnings.emplace_back(
        "/identity/authority_key_identifier: strict verifiers refuse a certificate without it (RFC "
        "5280 4.2.1.1)");
  }
  return {};
}

}  // namespace imprint::manifest
