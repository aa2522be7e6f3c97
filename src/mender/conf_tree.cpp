#include "conf_tree.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "imprint/base/text.hpp"
#include "imprint/base/utf8.hpp"

namespace imprint::mender {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

/// nlohmann's message without class, place and the text last read, which may be a token.
[[nodiscard]] std::string reason_of(std::string_view message) {
  constexpr std::string_view kSyntax = "syntax error ";
  const std::size_t syntax = message.find(kSyntax);
  if (syntax != std::string_view::npos) message.remove_prefix(syntax + kSyntax.size());
  std::string reason(message);
  const std::size_t last_read = reason.find("; last read: '");
  if (last_read == std::string::npos) return reason;
  const std::size_t expected = reason.rfind("'; expected ");
  const bool more = expected != std::string::npos && expected > last_read;
  return reason.substr(0, last_read) + (more ? reason.substr(expected + 1) : "");
}

[[nodiscard]] std::string string_text(const std::string& text) {
  // Non-ASCII stays itself; the parser has made sure of its UTF-8.
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

[[nodiscard]] ConfNode scalar_node(std::string text) {
  ConfNode node;
  node.scalar = std::move(text);
  return node;
}

/// Makes the tree from the parser's events.
class TreeMaker {
 public:
  explicit TreeMaker(std::string_view text) : text_(text) {}

  bool null() { return add(scalar_node("null")); }

  bool boolean(bool value) { return add(scalar_node(value ? "true" : "false")); }

  bool number_integer(Json::number_integer_t value) {
    return add(scalar_node(fmt::to_string(value)));
  }

  bool number_unsigned(Json::number_unsigned_t value) {
    return add(scalar_node(fmt::to_string(value)));
  }

  bool number_float(Json::number_float_t /*value*/, const std::string& text) {
    return add(scalar_node(text));
  }

  bool string(std::string& value) { return add(scalar_node(string_text(value))); }

  bool binary(Json::binary_t& /*value*/) { return false; }

  bool start_object(std::size_t /*size*/) { return open(ConfNode::Kind::object); }

  bool start_array(std::size_t /*size*/) { return open(ConfNode::Kind::array); }

  bool end_object() { return close(); }

  bool end_array() { return close(); }

  bool key(std::string& name) {
    key_ = std::move(name);
    return true;
  }

  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const nlohmann::detail::exception& reason) {
    const TextPosition at =
        position_of(text_, std::min(position == 0 ? 0 : position - 1, text_.size()));
    error.emplace(Code::invalid_input, fmt::format("line {}, column {}: not valid JSON: {}",
                                                   at.line, at.column, reason_of(reason.what())));
    return false;
  }

  ConfNode root;
  std::optional<Error> error;

 private:
  static constexpr std::size_t kMaxDepth = 64;

  ConfNode* place(ConfNode node) {
    if (open_.empty()) {
      root = std::move(node);
      return &root;
    }
    ConfNode& parent = *open_.back();
    if (parent.is_object()) {
      parent.members.emplace_back(std::move(key_), std::move(node));
      return &parent.members.back().second;
    }
    parent.elements.push_back(std::move(node));
    return &parent.elements.back();
  }

  bool add(ConfNode node) {
    place(std::move(node));
    return true;
  }

  bool open(ConfNode::Kind kind) {
    if (open_.size() == kMaxDepth) {
      error.emplace(Code::invalid_input, fmt::format("nested more than {} levels deep", kMaxDepth));
      return false;
    }
    ConfNode node;
    node.kind = kind;
    // Only the innermost open container grows, so the pointers to the others stay good.
    open_.push_back(place(std::move(node)));
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  std::string_view text_;
  std::vector<ConfNode*> open_;
  std::string key_;
};

class Printer {
 public:
  explicit Printer(const ConfStyle& style) : style_(style) {}

  void print(const ConfNode& node) {
    switch (node.kind) {
      case ConfNode::Kind::scalar:
        out += node.scalar;
        return;
      case ConfNode::Kind::array:
        print_all('[', node.elements, ']', [this](const ConfNode& element) { print(element); });
        return;
      case ConfNode::Kind::object:
        print_all('{', node.members, '}', [this](const ConfNode::Member& member) {
          out += string_text(member.first) + ':' + style_.after_colon;
          print(member.second);
        });
        return;
    }
  }

  std::string out;

 private:
  template <class Items, class PrintItem>
  void print_all(char open, const Items& items, char close, const PrintItem& print_item) {
    out += open;
    ++depth_;
    bool first = true;
    for (const auto& item : items) {
      if (!first) out += ',' + (style_.indent.empty() ? style_.after_comma : "");
      first = false;
      break_line();
      print_item(item);
    }
    --depth_;
    if (!items.empty()) break_line();
    out += close;
  }

  void break_line() {
    if (style_.indent.empty()) return;
    out += style_.line_end;
    for (std::size_t i = 0; i < depth_; ++i)
      out += style_.indent;
  }

  const ConfStyle& style_;
  std::size_t depth_ = 0;
};

}  // namespace

Result<ConfNode> parse_conf(std::string_view text) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  TreeMaker maker(text);
  if (Json::sax_parse(text.begin(), text.end(), &maker)) return std::move(maker.root);
  if (maker.error) return fail(*std::move(maker.error));
  return fail(Code::internal, "the JSON parser stopped without a reason");
}

ConfStyle style_of(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  ConfStyle style;
  style.indent = "  ";
  style.ends_with_line = text.empty() || text.back() == '\n';
  if (text.find("\r\n") != std::string_view::npos) style.line_end = "\r\n";

  const std::size_t brace = text.find('{');
  const std::size_t first =
      brace == std::string_view::npos ? brace : text.find_first_not_of(kBlank, brace + 1);
  if (first == std::string_view::npos || text[first] != '"')
    return style;  // no object, or an empty one: no style of its own

  const std::string_view before_first = text.substr(brace + 1, first - brace - 1);
  const std::size_t line_feed = before_first.rfind('\n');
  const bool one_line = line_feed == std::string_view::npos;
  style.indent = one_line ? "" : std::string(before_first.substr(line_feed + 1));
  // Lines without indentation: the nearest that can be told from one line is no indentation but
  // breaks; keep it readable.
  if (!one_line && style.indent.empty()) style.indent = "  ";

  // The first key's closing quote cannot be an escaped one here: a style needs no more than a good
  // guess.
  const std::size_t colon = text.find("\":", first);
  const bool space = colon == std::string_view::npos || text.substr(colon + 2).starts_with(' ');
  style.after_colon = space ? " " : "";
  style.after_comma = space ? " " : "";
  return style;
}

Result<ConfNode> conf_node_of(const Json& value) {
  ConfNode node;
  if (value.is_object()) {
    node.kind = ConfNode::Kind::object;
    for (const auto& [key, member] : value.items()) {
      if (utf8::first_invalid(key))
        return fail(Code::invalid_input, fmt::format("key {}: invalid UTF-8", quoted(key)));
      node.members.emplace_back(key, IMPRINT_TRY(conf_node_of(member)));
    }
  } else if (value.is_array()) {
    node.kind = ConfNode::Kind::array;
    for (const Json& element : value)
      node.elements.push_back(IMPRINT_TRY(conf_node_of(element)));
  } else if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    if (utf8::first_invalid(text))
      return fail(Code::invalid_input, "a setting's text is invalid UTF-8");
    node.scalar = string_text(text);
  } else {
    node.scalar = value.dump();
  }
  return node;
}

std::string print_conf(const ConfNode& root, const ConfStyle& style) {
  Printer printer(style);
  printer.print(root);
  if (style.ends_with_line) printer.out += style.line_end;
  return std::move(printer.out);
}

}  // namespace imprint::mender
