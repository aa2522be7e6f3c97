#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "imprint/files/image.hpp"
#include "imprint/image/file_system.hpp"
#include "imprint/image/node.hpp"

namespace imprint::cli {

/// `file`, `directory`, `link`, `other`
[[nodiscard]] std::string_view type_word(image::NodeType type) noexcept;

/// `-rw-------`, as ls(1) shows type and mode.
[[nodiscard]] std::string mode_text(const image::NodeInfo& node);

/// A node as JSON: type, octal mode, owner, size, times.
[[nodiscard]] nlohmann::ordered_json node_record(const image::NodeInfo& node);

/// An attribute's value as text, a closing NUL left out; in hex (0x…) when it is none.
[[nodiscard]] std::string value_text(ByteView value);

}  // namespace imprint::cli
