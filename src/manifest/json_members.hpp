#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "imprint/manifest/template.hpp"

/// Reading what the schema has passed: keys and types are right, so no getter can fail.
namespace imprint::manifest {

using Json = nlohmann::ordered_json;

/// A member of an object, or null.
[[nodiscard]] inline const Json* member(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

[[nodiscard]] inline std::string text_or(const Json& object, const char* key,
                                         std::string_view otherwise) {
  const Json* const value = member(object, key);
  return value != nullptr ? value->get<std::string>() : std::string(otherwise);
}

[[nodiscard]] inline Result<Template> parse_template(const Json& value,
                                                     const std::string& pointer) {
  return Template::parse(value.get_ref<const std::string&>()).context(pointer);
}

}  // namespace imprint::manifest
