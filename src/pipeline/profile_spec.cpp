#include "profile_spec.hpp"

#include <fmt/format.h>

#include "imprint/crypto/issue.hpp"
#include "imprint/crypto/name_constraints.hpp"

namespace imprint::pipeline {

namespace {

/// `manifest.json: /identity/days` where there is a manifest to be mended.
Error at(Error error, const std::optional<fs::path>& manifest_file, std::string_view field) {
  if (!manifest_file) return error;
  return std::move(error).context(fmt::format("{}: /identity/{}", manifest_file->string(), field));
}

Result<authority::LeafValidity> validity_of(const manifest::IdentitySpec& identity,
                                            const authority::Authority& authority, TimePoint now,
                                            const std::optional<fs::path>& manifest_file) {
  const authority::ValiditySpec& wished = identity.validity;
  if (const auto start = authority::leaf_start(authority, wished, now); !start)
    return fail(at(start.error(), manifest_file, "not_before"));
  auto validity = authority::leaf_validity(authority, wished, now);
  if (validity) return validity;
  const bool days = std::holds_alternative<std::uint32_t>(wished.not_after);
  return fail(at(validity.error(), manifest_file, days ? "days" : "not_after"));
}

crypto::ProfileSpec spec_of(const manifest::IdentitySpec& identity,
                            const authority::LeafValidity& validity) {
  crypto::ProfileSpec spec{
      .key = identity.key,
      .subject = {},
      .alt_names = {},
      .not_before = validity.not_before,
      .not_after = validity.not_after,
      .key_usage = identity.key_usage,
      .extended_key_usage = identity.extended_key_usage,
      .policies = identity.policies,
      .basic_constraints = identity.basic_constraints,
      .subject_key_identifier = identity.subject_key_identifier,
      .authority_key_identifier = identity.authority_key_identifier,
  };
  const auto constant = [](const manifest::Template& value) {
    return value.is_constant() ? std::optional(value.constant()) : std::nullopt;
  };
  for (const auto& attribute : identity.subject)
    spec.subject.push_back({attribute.field, constant(attribute.value)});
  for (const auto& name : identity.san)
    spec.alt_names.push_back({name.kind, constant(name.value), name.hardware_type});
  return spec;
}

Result<> expand_slots(const manifest::DevicePlan& devices, const manifest::DeviceTable& table,
                      std::size_t row, std::vector<std::string>& values) {
  values.resize(devices.slots.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i].clear();
    IMPRINT_TRY(devices.slots[i].expand(table, row, values[i]));
  }
  return {};
}

Result<> check_constraints(const crypto::ProfileSpec& spec, const authority::Authority& authority,
                           const manifest::DevicePlan& devices,
                           const manifest::DeviceTable& table) {
  std::vector<crypto::Certificate> authorities{authority.certificate()};
  authorities.insert(authorities.end(), authority.chain().begin(), authority.chain().end());
  const auto constraints = IMPRINT_TRY(crypto::NameConstraints::of(authorities));
  if (constraints.empty()) return {};
  std::vector<std::string> values;
  for (std::size_t row = 0; row < table.size(); ++row) {
    IMPRINT_TRY(expand_slots(devices, table, row, values));
    const std::vector<std::string_view> slots(values.begin(), values.end());
    IMPRINT_TRY(constraints.check(spec, slots, authority.certificate()).context(table.place(row)));
  }
  return {};
}

}  // namespace

Result<DeviceProfile> device_profile(const manifest::IdentitySpec& identity,
                                     const authority::Authority& authority, TimePoint now,
                                     const std::optional<fs::path>& manifest_file) {
  auto validity = IMPRINT_TRY(validity_of(identity, authority, now, manifest_file));
  DeviceProfile profile{.spec = spec_of(identity, validity),
                        .notes = std::move(validity.notes),
                        .warnings = std::move(validity.warnings)};
  for (const std::string& warning : identity.warnings) {
    profile.warnings.push_back(
        manifest_file ? fmt::format("{}: {}", manifest_file->string(), warning) : warning);
  }
  return profile;
}

Result<> check_names(const crypto::ProfileSpec& spec, const authority::Authority& authority,
                     const manifest::DevicePlan& devices, const manifest::DeviceTable& table) {
  if (table.size() == 0) return {};
  IMPRINT_TRY(check_constraints(spec, authority, devices, table));
  std::vector<std::string> values;
  IMPRINT_TRY(expand_slots(devices, table, 0, values));
  const std::vector<std::string_view> slots(values.begin(), values.end());
  const auto signer = IMPRINT_TRY(authority.signer().clone());
  // Strict verifiers want an authority key identifier; who leaves it out was told so.
  const crypto::Strictness strictness =
      spec.authority_key_identifier ? authority.strictness() : crypto::Strictness::plain;
  return crypto::verify_sample(spec, slots, authority.certificate(), *signer, strictness)
      .context(fmt::format("{}: a certificate like this device's, issued to see whether verifiers "
                           "accept it",
                           table.place(0)));
}

}  // namespace imprint::pipeline
