#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "json_text.hpp"

namespace imprint::mender {

/// Indentation of the line on which a value begins, or none where a value is to stay on one line.
using Pad = std::optional<std::string>;

/// The pad that follows from the white space before a member: none unless that breaks the line.
[[nodiscard]] Pad pad_after(std::string_view lead);

/// How a JSON text is laid out, to write what is added to it alike.
struct Layout {
  std::string newline = "\n";
  std::string indent = "  ";  ///< one level
  std::string colon = ": ";   ///< between a key and its value
  std::string gap = " ";      ///< after a comma, on one line
  bool one_line = false;      ///< no line break between the members of the root

  /// As its root object shows it. An empty object shows nothing: lines, indented by two spaces.
  [[nodiscard]] static Layout of(std::string_view text, const JsonNode& root);

  [[nodiscard]] std::string write(const nlohmann::ordered_json& value, const Pad& pad) const;
  [[nodiscard]] std::string write_member(const std::string& key,
                                         const nlohmann::ordered_json& value, const Pad& pad) const;
};

}  // namespace imprint::mender
