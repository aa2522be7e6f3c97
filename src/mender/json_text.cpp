// A strict reader (RFC 8259) that keeps positions.
//
// Why not nlohmann alone: version 3.11 reports neither where a value stands nor where a bad token
// began, and writing back what it read would change number forms (1.50 to 1.5), escapes and layout
// in a file that people review and that builds compare. So structure is read here, and what a
// string or a number may look like is left to nlohmann: it is the parser of the clients from 4.0
// on, hence nothing passes here that they refuse.
//
// Stricter than it in three points, as the Go clients before 4.0 are: no byte order mark, no NUL as
// an end of the text, and limited nesting (Go stops at 10,000; real files have 3).
#include "json_text.hpp"

#include <algorithm>
#include <cstdint>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "imprint/base/text.hpp"
#include "imprint/base/utf8.hpp"

namespace imprint::mender {
namespace {

constexpr int kDeepest = 200;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  Result<JsonNode> document() {
    if (const auto bad = utf8::first_invalid(text_)) return refuse(*bad, "invalid UTF-8");
    if (text_.starts_with(kByteOrderMark)) {
      return refuse(0, "byte order mark, which clients before 4.0 refuse: remove it");
    }
    skip_space();
    if (at_ == text_.size()) return refuse(0, "empty: write '{}' at least");
    const std::size_t begin = at_;
    JsonNode root = IMPRINT_TRY(value(0));
    if (!root.is_object()) return refuse(begin, "a JSON object is needed here, in braces");
    skip_space();
    if (at_ < text_.size()) return unexpected("the end of the text");
    return root;
  }

 private:
  Result<JsonNode> value(int depth) {
    if (depth > kDeepest) return refuse(at_, fmt::format("more than {} levels deep", kDeepest));
    switch (peek()) {
      case '{':
        return object(depth);
      case '[':
        return array(depth);
      case '"':
        return string();
      default:
        return word();
    }
  }

  Result<JsonNode> object(int depth) {
    JsonNode node{
        .kind = JsonNode::Kind::object, .begin = at_, .end = 0, .members = {}, .elements = {}};
    bool more = !open('}');
    while (more) {
      if (peek() != '"') return unexpected("a key in double quotes");
      const JsonNode key = IMPRINT_TRY(string());
      skip_space();
      if (peek() != ':') return unexpected("':' after a key");
      ++at_;
      skip_space();
      JsonNode member = IMPRINT_TRY(value(depth + 1));
      node.members.push_back(
          {string_value(text_, key).value_or(""), key.begin, key.end, std::move(member)});
      more = IMPRINT_TRY(next('}'));
    }
    node.end = ++at_;
    return node;
  }

  Result<JsonNode> array(int depth) {
    JsonNode node{
        .kind = JsonNode::Kind::array, .begin = at_, .end = 0, .members = {}, .elements = {}};
    bool more = !open(']');
    while (more) {
      node.elements.push_back(IMPRINT_TRY(value(depth + 1)));
      more = IMPRINT_TRY(next(']'));
    }
    node.end = ++at_;
    return node;
  }

  /// Steps into an object or array. True: there is nothing in it.
  bool open(char close) {
    ++at_;
    skip_space();
    return peek() == close;
  }

  /// Steps to the next member or element. False: `close` comes instead.
  Result<bool> next(char close) {
    skip_space();
    if (peek() == close) return false;
    if (peek() != ',') return unexpected(fmt::format("',' or '{}'", close));
    const std::size_t comma = at_++;
    skip_space();
    // Seen in the wild: mender-convert's server set-up writes one when it is not given a
    // certificate.
    if (peek() == close) return refuse(comma, fmt::format("comma before '{}': remove it", close));
    return true;
  }

  Result<JsonNode> string() {
    const std::size_t begin = at_++;
    while (peek() != '"') {
      if (at_ == text_.size()) return refuse(begin, "string without closing quote");
      if (static_cast<unsigned char>(text_[at_]) < 0x20) {
        return refuse(
            at_,
            "line break or control character in a string: close the string or write an escape");
      }
      at_ += text_[at_] == '\\' && at_ + 1 < text_.size() ? 2 : 1;
    }
    ++at_;
    const JsonNode node{
        .kind = JsonNode::Kind::string, .begin = begin, .end = at_, .members = {}, .elements = {}};
    if (!nlohmann::json::accept(node.in(text_)))
      return refuse(begin, "string with an invalid escape");
    return node;
  }

  /// A number, true, false or null.
  Result<JsonNode> word() {
    constexpr std::string_view kLetters =
        "+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
    const std::size_t begin = at_;
    at_ = std::min(text_.find_first_not_of(kLetters, begin), text_.size());
    if (at_ == begin) return unexpected("a value");
    JsonNode node{
        .kind = JsonNode::Kind::number, .begin = begin, .end = at_, .members = {}, .elements = {}};
    const std::string_view written = node.in(text_);
    if (!nlohmann::json::accept(written)) {
      // Long ones are not shown: it may be a token that lacks its quotes.
      return refuse(begin, fmt::format("{} is no value: texts need double quotes, numbers are "
                                       "decimal and finite",
                                       written.size() <= 8 ? quoted(written) : "this"));
    }
    if (written == "null") node.kind = JsonNode::Kind::null;
    if (written == "true" || written == "false") node.kind = JsonNode::Kind::boolean;
    return node;
  }

  /// The next byte, or NUL at the end; a NUL in the text is no token either.
  [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  void skip_space() { at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size()); }

  [[nodiscard]] Unexpected unexpected(std::string_view wanted) const {
    if (at_ == text_.size())
      return refuse(at_, fmt::format("the text ends where {} should be", wanted));
    if (peek() == '/' || peek() == '#') return refuse(at_, "JSON has no comments: remove this one");
    std::size_t end = at_ + 1;  // of the character, which may have several bytes
    while (end < text_.size() && (static_cast<unsigned char>(text_[end]) & 0xC0U) == 0x80U)
      ++end;
    return refuse(at_, fmt::format("{} should be here instead of {}", wanted,
                                   quoted(text_.substr(at_, end - at_))));
  }

  [[nodiscard]] Unexpected refuse(std::size_t offset, std::string_view reason) const {
    const TextPosition position = position_of(text_, offset);
    return fail(Code::invalid_input,
                fmt::format("line {}, column {}: {}", position.line, position.column, reason));
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

std::vector<const JsonMember*> JsonNode::find(std::string_view key) const {
  std::vector<const JsonMember*> found;
  for (const JsonMember& member : members) {
    if (equal_ignoring_ascii_case(member.key, key)) found.push_back(&member);
  }
  return found;
}

Result<JsonNode> read_json_object(std::string_view text) {
  return Reader(text).document();
}

std::optional<std::string> string_value(std::string_view text, const JsonNode& node) {
  if (node.kind != JsonNode::Kind::string) return std::nullopt;
  return nlohmann::json::parse(node.in(text), nullptr, false).get<std::string>();
}

}  // namespace imprint::mender
