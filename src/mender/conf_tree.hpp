#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "imprint/base/result.hpp"

namespace imprint::mender {

/// A JSON value that can be written back as it was read: numbers keep their digits, objects their
/// order and even keys that stand there twice. (nlohmann's own value turns 1e3 into 1000.0, and
/// forgets one of two equal keys.)
struct ConfNode {
  enum class Kind { scalar, array, object };
  using Member = std::pair<std::string, ConfNode>;

  Kind kind = Kind::scalar;
  std::string scalar = "null";     ///< JSON text of a scalar
  std::vector<ConfNode> elements;  ///< of an array
  std::vector<Member> members;     ///< of an object

  [[nodiscard]] bool is_object() const noexcept { return kind == Kind::object; }
};

/// How a text lays its JSON out.
struct ConfStyle {
  std::string indent;  ///< of one level; empty: all on one line
  std::string line_end = "\n";
  std::string after_colon = " ";
  std::string after_comma;  ///< on one line
  bool ends_with_line = true;
};

/// `line L, column C: not valid JSON: ...` when it is none; nesting beyond 64 levels is refused. A
/// byte order mark is skipped.
Result<ConfNode> parse_conf(std::string_view text);

[[nodiscard]] ConfStyle style_of(std::string_view text);

/// Text that is not UTF-8 is Code::invalid_input.
Result<ConfNode> conf_node_of(const nlohmann::ordered_json& value);

[[nodiscard]] std::string print_conf(const ConfNode& root, const ConfStyle& style);

}  // namespace imprint::mender
