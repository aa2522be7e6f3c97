#pragma once

#include <string>
#include <string_view>

namespace imprint {

enum class Escape {
  unprintable,  ///< what could break a line or deceive a reader
  quotes_too,   ///< also `'` and `\`, so that the text can stand in quotes without ambiguity
};

/// Text for one line of a terminal: `\n`, `\x1b`, `\u{202e}` for what must not be shown as it is.
[[nodiscard]] std::string escape(std::string_view text, Escape what);

}  // namespace imprint
