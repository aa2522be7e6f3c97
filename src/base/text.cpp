#include "imprint/base/text.hpp"

#include <algorithm>
#include <iterator>
#include <vector>

#include <fmt/format.h>

#include "escape.hpp"
#include "utf8_decode.hpp"

namespace imprint {
namespace {

/// More changed letters than this and another word was meant.
constexpr std::size_t kMostEdits = 3;

[[nodiscard]] char to_lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// Insertions, deletions, replacements and swaps of neighbours ("optimal string alignment").
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j)
    last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
    }
    before_last.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

void append_escaped(std::string& out, char32_t code_point) {
  switch (code_point) {
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  const auto number = static_cast<unsigned>(code_point);
  if (number < 0x80) {
    fmt::format_to(std::back_inserter(out), "\\x{:02x}", number);
  } else {
    fmt::format_to(std::back_inserter(out), "\\u{{{:x}}}", number);
  }
}

}  // namespace

std::string escape(std::string_view text, Escape what) {
  std::string out;
  out.reserve(text.size() + 2);
  std::size_t offset = 0;
  while (offset < text.size()) {
    const auto decoded = utf8::decode(text, offset);
    if (!decoded) {
      const auto byte = static_cast<unsigned>(static_cast<unsigned char>(text[offset]));
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", byte);
      ++offset;
      continue;
    }
    const char32_t c = decoded->code_point;
    if (!utf8::forbidden_class(c).empty()) {
      append_escaped(out, c);
    } else {
      if (what == Escape::quotes_too && (c == '\'' || c == '\\')) out += '\\';
      out += text.substr(offset, decoded->size_bytes);
    }
    offset += decoded->size_bytes;
  }
  return out;
}

std::string printable(std::string_view text) {
  return escape(text, Escape::unprintable);
}

std::string quoted(std::string_view text) {
  return "'" + escape(text, Escape::quotes_too) + "'";
}

std::optional<std::string_view> nearest(std::string_view name,
                                        std::span<const std::string_view> known) {
  const std::string wanted = to_lower_ascii(name);
  std::optional<std::string_view> best;
  std::size_t best_distance = std::min(kMostEdits, std::max<std::size_t>(1, name.size() / 3)) + 1;
  for (const std::string_view candidate : known) {
    const std::size_t longer = std::max(candidate.size(), wanted.size());
    const std::size_t shorter = std::min(candidate.size(), wanted.size());
    if (longer - shorter >= best_distance)
      continue;  // so a long name costs no more than a short one
    const std::size_t distance = edit_distance(wanted, to_lower_ascii(candidate));
    // A distance of the whole word means that nothing of it was kept.
    if (distance < best_distance && distance < longer) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string to_lower_ascii(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), to_lower);
  return lower;
}

bool equal_ignoring_ascii_case(std::string_view a, std::string_view b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return to_lower(x) == to_lower(y); });
}

TextPosition position_of(std::string_view text, std::size_t offset) noexcept {
  TextPosition position;
  for (const char c : text.substr(0, offset)) {
    if (c == '\n') {
      ++position.line;
      position.column = 1;
    } else {
      ++position.column;
    }
  }
  return position;
}

}  // namespace imprint
