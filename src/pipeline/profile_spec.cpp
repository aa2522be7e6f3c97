#include "profile_spec.hpp"

namespace imprint::pipeline {

crypto::ProfileSpec profile_spec(const manifest::IdentitySpec& identity, TimePoint not_before,
                                 TimePoint not_after) {
  crypto::ProfileSpec spec{.key = identity.key,
                           .subject = {},
                           .alt_names = {},
                           .not_before = not_before,
                           .not_after = not_after};
  const auto constant = [](const manifest::Template& value) {
    return value.is_constant() ? std::optional(value.constant()) : std::nullopt;
  };
  for (const auto& attribute : identity.subject)
    spec.subject.push_back({attribute.field, constant(attribute.value)});
  for (const auto& name : identity.san)
    spec.alt_names.push_back({name.kind, constant(name.value)});
  return spec;
}

}  // namespace imprint::pipeline
