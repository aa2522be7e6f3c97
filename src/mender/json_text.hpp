#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "imprint/base/result.hpp"

/// JSON that knows where in the text each of its parts stands, so that an edit can leave the rest
/// of the text alone.
namespace imprint::mender {

struct JsonMember;

/// A value and its place: bytes [begin, end) of the text it was read from.
struct JsonNode {
  enum class Kind { object, array, string, number, boolean, null };

  Kind kind = Kind::null;
  std::size_t begin = 0;
  std::size_t end = 0;
  std::vector<JsonMember> members;  ///< of an object, in the order of the text, twins included

  std::vector<JsonNode> elements;  ///< of an array

  [[nodiscard]] bool is_object() const { return kind == Kind::object; }

  /// The members of this name, ignoring ASCII case, in the order of the text.
  [[nodiscard]] std::vector<const JsonMember*> find(std::string_view key) const;

  [[nodiscard]] std::string_view in(std::string_view text) const {
    return text.substr(begin, end - begin);
  }
};

struct JsonMember {
  std::string key;  ///< decoded
  std::size_t key_begin = 0;
  std::size_t key_end = 0;
  JsonNode value;
};

/// Reads `text` as one JSON object. Fails with Code::invalid_input, `line L, column C: reason`.
[[nodiscard]] Result<JsonNode> read_json_object(std::string_view text);

/// The decoded string that `node` of `text` is, or none when it is something else.
[[nodiscard]] std::optional<std::string> string_value(std::string_view text, const JsonNode& node);

}  // namespace imprint::mender
