// The schema decides what a manifest may be; valijson applies it. What valijson says about an
// offence ("Failed to match against any enum values.") helps nobody, so only the place is taken
// from it, and the message is made from the schema's own words at that place. Unknown and missing
// keys are looked for first, in the order of the document: they are what people get wrong most, and
// valijson would tell them in the order of the alphabet.

#include "schema_check.hpp"

#include <exception>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "imprint/base/text.hpp"
#include "imprint/manifest/manifest.hpp"
#include "json_text.hpp"

namespace imprint::manifest {
namespace {

using Json = nlohmann::ordered_json;

[[nodiscard]] const Json& schema() {
  static const Json parsed = Json::parse(schema_text());
  return parsed;
}

/// The node itself, or what its `$ref` names.
[[nodiscard]] const Json& resolved(const Json& node) {
  const auto reference = node.find("$ref");
  if (reference == node.end()) return node;
  return schema().at(Json::json_pointer(reference->get<std::string>().substr(1)));
}

/// The schema's node for a key or an element of what `node` describes; null when it says nothing
/// about it.
[[nodiscard]] const Json* child_of(const Json& node, const std::string& token) {
  if (const auto properties = node.find("properties"); properties != node.end()) {
    if (const auto child = properties->find(token); child != properties->end())
      return &resolved(*child);
  }
  for (const char* const others : {"additionalProperties", "items"}) {
    const auto child = node.find(others);
    if (child != node.end() && child->is_object()) return &resolved(*child);
  }
  return nullptr;
}

[[nodiscard]] Unexpected at_pointer(const std::string& pointer, std::string_view reason) {
  if (pointer.empty()) return fail(Code::invalid_input, std::string(reason));
  return fail(Code::invalid_input, fmt::format("{}: {}", printable(pointer), reason));
}

[[nodiscard]] std::string_view type_in_words(std::string_view type) {
  if (type == "string") return "text";
  if (type == "integer") return "a whole number";
  if (type == "number") return "a number";
  if (type == "boolean") return "true or false";
  if (type == "array") return "an array";
  if (type == "object") return "an object";
  return type;
}

[[nodiscard]] bool has_type(const Json& value, std::string_view type) {
  if (type == "integer") return value.is_number_integer();
  return type == value.type_name();
}

/// `text or an array`.
[[nodiscard]] std::string types_in_words(const Json& types) {
  if (types.is_string()) return std::string(type_in_words(types.get_ref<const std::string&>()));
  std::string words;
  for (const Json& type : types) {
    if (!words.empty()) words += " or ";
    words += type_in_words(type.get_ref<const std::string&>());
  }
  return words;
}

[[nodiscard]] bool has_one_type_of(const Json& value, const Json& types) {
  if (types.is_string()) return has_type(value, types.get_ref<const std::string&>());
  for (const Json& type : types) {
    if (has_type(value, type.get_ref<const std::string&>())) return true;
  }
  return false;
}

/// What is wrong with a value, in the words of the schema's node for it; none when the node
/// explains nothing.
[[nodiscard]] std::optional<std::string> explain(const Json& node, const Json& value) {
  if (const auto types = node.find("type");
      types != node.end() && !has_one_type_of(value, *types)) {
    return fmt::format("{} is expected here, not {}", types_in_words(*types),
                       type_in_words(value.type_name()));
  }
  if (const auto message = node.find("errorMessage"); message != node.end())
    return message->get<std::string>();
  if (const auto words = node.find("enum"); words != node.end()) {
    std::string known;
    for (const Json& word : *words)
      known += (known.empty() ? "" : ", ") + quoted(word.get_ref<const std::string&>());
    return fmt::format("{} is not one of {}",
                       value.is_string() ? quoted(value.get_ref<const std::string&>()) : "this",
                       known);
  }
  if (const auto only = node.find("const"); only != node.end())
    return fmt::format("{} is expected here", only->dump());
  if (value.is_string()) return "empty text is not possible here";
  if (value.is_number() && node.contains("minimum")) {
    return fmt::format("{} is not possible; {} to {} is", value.dump(), node["minimum"].dump(),
                       node["maximum"].dump());
  }
  if (value.is_structured() && value.empty()) return "this cannot be empty";
  return std::nullopt;
}

Result<> check_keys(const Json& node, const Json& value, const std::string& pointer);

Result<> check_object_keys(const Json& node, const Json& object, const std::string& pointer) {
  const Json* const properties = node.contains("properties") ? &node["properties"] : nullptr;
  const bool closed = node.value("additionalProperties", Json(true)) == Json(false);
  for (const auto& [key, value] : object.items()) {
    const std::string here = pointer + "/" + pointer_token(key);
    if (closed && !properties->contains(key)) {
      std::vector<std::string_view> known;
      for (const auto& [name, unused] : properties->items())
        known.push_back(name);
      const auto meant = nearest(key, known);
      return at_pointer(here, meant ? fmt::format("unknown key (did you mean {}?)", quoted(*meant))
                                    : "unknown key");
    }
    if (const Json* const child = child_of(node, key)) IMPRINT_TRY(check_keys(*child, value, here));
  }
  if (const auto required = node.find("required"); required != node.end()) {
    for (const Json& key : *required) {
      const auto& name = key.get_ref<const std::string&>();
      if (!object.contains(name))
        return at_pointer(pointer, fmt::format("key {} is missing", quoted(name)));
    }
  }
  return {};
}

/// Unknown and missing keys, in the order of the document. Depth is bounded by the schema's.
Result<> check_keys(const Json& node, const Json& value, const std::string& pointer) {
  if (value.is_object()) return check_object_keys(node, value, pointer);
  if (!value.is_array() || !node.contains("items")) return {};
  std::size_t index = 0;
  for (const Json& element : value) {
    IMPRINT_TRY(
        check_keys(resolved(node["items"]), element, fmt::format("{}/{}", pointer, index++)));
  }
  return {};
}

/// valijson's `<root>`, `[identity]`, `[key]` as the value's pointer, and the message for what
/// stands there.
[[nodiscard]] Unexpected offence(const Json& root, const valijson::ValidationResults::Error& found,
                                 const Json& document) {
  const Json* node = &root;
  const Json* value = &document;
  std::string pointer;
  for (std::size_t i = 1; i < found.context.size(); ++i) {
    const std::string& bracketed = found.context[i];
    const std::string token = bracketed.substr(1, bracketed.size() - 2);
    pointer += "/" + pointer_token(token);
    node = node != nullptr ? child_of(*node, token) : nullptr;
    value = &value->at(Json::json_pointer("/" + pointer_token(token)));
  }
  const auto reason = node != nullptr ? explain(*node, *value) : std::nullopt;
  return at_pointer(pointer, reason.value_or(found.description));
}

void compile(const Json& root, valijson::Schema& into) {
  nlohmann::json unordered = root;
  unordered["definitions"] = schema()["definitions"];  // what its `$ref`s name
  const valijson::adapters::NlohmannJsonAdapter adapter(unordered);
  valijson::SchemaParser(valijson::SchemaParser::kDraft7).populateSchema(adapter, into);
}

/// Applies a node of the schema to a whole document. `compiled` is that node's.
Result<> check(const Json& root, const valijson::Schema& compiled, const Json& document) {
  IMPRINT_TRY(check_keys(root, document, ""));
  const nlohmann::json unordered = document;  // valijson knows this form only
  const valijson::adapters::NlohmannJsonAdapter adapter(unordered);
  valijson::ValidationResults results;
  valijson::Validator validator;
  if (validator.validate(compiled, adapter, &results)) return {};
  valijson::ValidationResults::Error first;
  if (!results.popError(first))
    return fail(Code::internal, "the schema refuses the document without a reason");
  return offence(root, first, document);
}

// Only a broken schema leads here: valijson has no other way to say so.
Unexpected broken_schema(const std::exception& error) {
  return fail(Code::internal, fmt::format("applying the manifest schema: {}", error.what()));
}

}  // namespace

Result<> check_schema(const Json& document) {
  if (document.is_object() && document.contains("version") &&
      document["version"].is_number_integer() && document["version"] != kManifestVersion) {
    return fail(Code::unsupported,
                fmt::format("/version: {} is not known; this program reads version {}",
                            document["version"].dump(), kManifestVersion));
  }
  if (!document.is_object()) return fail(Code::invalid_input, "a manifest is a JSON object");
  try {
    static const valijson::Schema* const compiled = [] {
      static valijson::Schema result;
      compile(schema(), result);
      return &result;
    }();
    return check(schema(), *compiled, document);
  } catch (const std::exception& error) {
    return broken_schema(error);
  }
}

Result<> check_authority_schema(const Json& document) {
  if (!document.is_object()) {
    return fail(Code::invalid_input,
                "it has to be a JSON object with 'certificate' and 'key' or 'command'");
  }
  try {
    // Read once a run: not worth keeping.
    const Json& root = schema()["definitions"]["authority"];
    valijson::Schema compiled;
    compile(root, compiled);
    return check(root, compiled, document);
  } catch (const std::exception& error) {
    return broken_schema(error);
  }
}

}  // namespace imprint::manifest
