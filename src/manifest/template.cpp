#include "imprint/manifest/template.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "imprint/base/utf8.hpp"
#include "imprint/manifest/devices.hpp"

namespace imprint::manifest {
namespace {

/// Spreadsheets' headers hold spaces and every alphabet; what is left out is what a forgotten `{{`
/// in JSON or shell text would bring.
[[nodiscard]] bool may_be_in_name(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  const bool letter_or_digit =
      (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  return letter_or_digit || byte >= 0x80 || c == '_' || c == '-' || c == '.' || c == ' ';
}

// The text itself is not repeated: a file's text may hold a password.
[[nodiscard]] Unexpected at_column(std::string_view text, std::size_t offset,
                                   std::string_view reason) {
  const std::size_t column = utf8::length(text.substr(0, offset)) + 1;
  return fail(Code::invalid_input, fmt::format("column {}: {}", column, reason));
}

/// The name that begins after the brace at `open`.
Result<std::string_view> parse_name(std::string_view text, std::size_t open) {
  const std::size_t begin = open + 1;
  std::size_t end = begin;
  while (end < text.size() && may_be_in_name(text[end]))
    ++end;

  constexpr std::string_view kHint = "; write '{{' for a brace";
  if (end == text.size())
    return at_column(text, open, fmt::format("'{{' is never closed{}", kHint));
  if (text[end] != '}') {
    // A whole character, not half of one: bytes from 0x80 never end up here.
    const std::string_view wrong = text.substr(end, 1);
    return at_column(text, end,
                     fmt::format("{} cannot be in a variable's name{}", quoted(wrong), kHint));
  }
  const std::string_view name = text.substr(begin, end - begin);
  if (name.empty()) return at_column(text, open, fmt::format("a variable without a name{}", kHint));
  if (name.front() == ' ' || name.back() == ' ') {
    return at_column(text, open, fmt::format("space around the name in '{{{}}}'", printable(name)));
  }
  return name;
}

[[nodiscard]] Unexpected unknown_variable(std::string_view name, const DeviceTable& table,
                                          std::string_view purpose) {
  const std::vector<std::string_view> known(table.columns().begin(), table.columns().end());
  const auto meant = nearest(name, known);
  const std::string hint = meant ? fmt::format(" (did you mean {}?)", quoted(*meant)) : "";
  return fail(Code::invalid_input,
              fmt::format("{} needs column {}, which {} does not have{}", purpose, quoted(name),
                          quoted(table.source().native()), hint));
}

}  // namespace

Result<Template> Template::parse(std::string_view text) {
  if (const auto bad = utf8::first_invalid(text)) {
    return fail(Code::invalid_input, fmt::format("invalid UTF-8 at byte {}", *bad + 1));
  }
  Template result;
  result.text_ = text;
  std::string literal;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t brace = std::min(text.find_first_of("{}", at), text.size());
    literal += text.substr(at, brace - at);
    if (brace == text.size()) break;

    const char c = text[brace];
    if (brace + 1 < text.size() && text[brace + 1] == c) {
      literal += c;
      at = brace + 2;
    } else if (c == '}') {
      return at_column(text, brace, "'}' without a '{'; write '}}' for a brace");
    } else {
      const std::string_view name = IMPRINT_TRY(parse_name(text, brace));
      result.variables_.push_back({std::move(literal), std::string(name)});
      literal.clear();
      at = brace + name.size() + 2;
    }
  }
  result.tail_ = std::move(literal);
  return result;
}

std::vector<std::string_view> Template::variables() const {
  std::vector<std::string_view> names;
  for (const Variable& variable : variables_) {
    if (std::find(names.begin(), names.end(), variable.name) == names.end())
      names.push_back(variable.name);
  }
  return names;
}

Result<> Template::expand(const Lookup& lookup, std::string& out) const {
  const std::size_t size_before = out.size();
  for (const Variable& variable : variables_) {
    const auto value = lookup(variable.name);
    if (!value || value->empty()) {
      out.resize(size_before);
      return fail(Code::invalid_input, fmt::format("variable {} {}", quoted(variable.name),
                                                   value ? "is empty" : "is not known"));
    }
    out += variable.literal_before;
    out += *value;
  }
  out += tail_;
  return {};
}

Result<BoundTemplate> Template::bind(const DeviceTable& table, std::string purpose) const {
  BoundTemplate bound;
  bound.tail_ = tail_;
  // With `id` alone the text's length says the id's length, and from there on the id can be read
  // off.
  bound.distinct_by_id_ = !variables_.empty();
  for (const Variable& variable : variables_) {
    const auto column = table.column(variable.name);
    if (!column) return unknown_variable(variable.name, table, purpose);
    bound.distinct_by_id_ = bound.distinct_by_id_ && variable.name == "id";
    bound.variables_.push_back({variable.literal_before, *column});
  }
  bound.purpose_ = std::move(purpose);
  return bound;
}

Result<> BoundTemplate::expand(const DeviceTable& table, std::size_t row, std::string& out) const {
  const std::size_t size_before = out.size();
  for (const Variable& variable : variables_) {
    const std::string_view value = table.value(row, variable.column);
    if (value.empty()) {
      out.resize(size_before);
      return fail(Code::invalid_input,
                  fmt::format("{}: column {} is empty; {} needs it", table.place(row),
                              quoted(table.columns()[variable.column]), purpose_));
    }
    out += variable.literal_before;
    out += value;
  }
  out += tail_;
  return {};
}

}  // namespace imprint::manifest
