// Merging settings into the text of a mender.conf.
//
// The result is composed from pieces of the old text, so that a diff shows the merged settings and
// nothing else. Rejected: read into a value and write that back, as mender-artifact does; it sorts
// keys, minifies, and writes "&" as "\u0026".
//
// Twins, keys that differ only in case, are where clients disagree: those before 4.0 (Go) take the
// last in the file, those from 4.0 on (C++, through a sorted map) the one whose spelling sorts
// first. Twins of a key that is merged therefore become one, which all clients read alike; of their
// old sub-keys the last in the file counts. Twins of other keys are not ours to decide: they stay,
// and check_conf warns about them.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "imprint/base/text.hpp"
#include "imprint/base/utf8.hpp"
#include "imprint/mender/conf.hpp"
#include "json_text.hpp"
#include "layout.hpp"

namespace imprint::mender {
namespace {

using nlohmann::ordered_json;

constexpr int kDeepest = 200;

/// `name`: of the setting that `value` is or belongs to. Values are not shown, they may be secret.
Result<> check_settings(const ordered_json& value, std::string_view name = {}, int depth = 0) {
  if (depth > kDeepest) {
    return fail(Code::invalid_input, fmt::format("settings more than {} levels deep", kDeepest));
  }
  if (const auto* text = value.get_ptr<const std::string*>();
      text != nullptr && utf8::first_invalid(*text)) {
    return fail(Code::invalid_input, fmt::format("invalid UTF-8 in the value of {}", quoted(name)));
  }
  if (value.is_array()) {
    for (const ordered_json& element : value)
      IMPRINT_TRY(check_settings(element, name, depth + 1));
  }
  if (!value.is_object()) return {};
  std::vector<std::string> keys;
  for (const auto& item : value.items()) {
    const std::string& key = item.key();
    if (utf8::first_invalid(key)) {
      return fail(Code::invalid_input, fmt::format("invalid UTF-8 in the key {}", quoted(key)));
    }
    for (const std::string& earlier : keys) {
      if (!equal_ignoring_ascii_case(earlier, key)) continue;
      return fail(Code::invalid_input,
                  fmt::format("{} and {} are one setting to the client: keep one of them",
                              quoted(earlier), quoted(key)));
    }
    keys.push_back(key);
    IMPRINT_TRY(check_settings(item.value(), key, depth + 1));
  }
  return {};
}

/// `value` as it is where nothing was before: null, which removes, has nothing to remove.
ordered_json without_nulls(const ordered_json& value) {
  if (!value.is_object()) return value;
  ordered_json kept = ordered_json::object();
  for (const auto& item : value.items()) {
    if (!item.value().is_null()) kept[item.key()] = without_nulls(item.value());
  }
  return kept;
}

/// One text per value. UTF-8 was checked, so that this cannot fail.
std::string written(const ordered_json& value) {
  return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

const ordered_json* find_setting(const ordered_json& settings, std::string_view key) {
  for (const auto& item : settings.items()) {
    if (equal_ignoring_ascii_case(item.key(), key)) return &item.value();
  }
  return nullptr;
}

class Merger {
 public:
  Merger(std::string_view text, Layout layout) : text_(text), layout_(std::move(layout)) {}

  /// The text of object `node` with `settings` merged in. `pad`: see Layout::write.
  [[nodiscard]] std::string object(const JsonNode& node, const ordered_json& settings,
                                   const Pad& pad) const {
    std::vector<Piece> pieces;
    for (const JsonMember& member : node.members) {
      Piece piece{.lead = std::string(lead_of(member)), .body = {}};
      if (const ordered_json* setting = find_setting(settings, member.key); setting != nullptr) {
        const auto twins = node.find(member.key);
        if (setting->is_null() || twins.front() != &member) continue;
        piece.body = between(member.key_begin, member.value.begin);
        piece.body += value(twins, *setting, pad_after(piece.lead));
      } else {
        piece.body = between(member.key_begin, member.value.end);
      }
      // White space before a comma stays with its member; before the brace it is the object's.
      if (&member != &node.members.back()) piece.body += space_at(member.value.end);
      pieces.push_back(std::move(piece));
    }
    for (const auto& item : settings.items()) {
      if (item.value().is_null() || !node.find(item.key()).empty()) continue;
      std::string lead = lead_of_new(node, pieces.size(), pad);
      std::string body =
          layout_.write_member(item.key(), without_nulls(item.value()), pad_after(lead));
      pieces.push_back({std::move(lead), std::move(body)});
    }
    return join(node, pieces, pad);
  }

 private:
  /// A member and the white space before it.
  struct Piece {
    std::string lead;
    std::string body;
  };

  [[nodiscard]] std::string_view between(std::size_t begin, std::size_t end) const {
    return text_.substr(begin, end - begin);
  }

  [[nodiscard]] std::string_view space_at(std::size_t begin) const {
    return between(begin, text_.find_first_not_of(" \t\r\n", begin));
  }

  /// What becomes of a member (with its twins) that `setting` is merged into.
  [[nodiscard]] std::string value(const std::vector<const JsonMember*>& twins,
                                  const ordered_json& setting, const Pad& pad) const {
    if (!setting.is_object()) {
      const std::string_view old = twins.back()->value.in(text_);
      // The same value may stay as it is written. Compared as texts, since 60 and 60.0 are equal
      // numbers but not equally welcome to clients.
      const bool same = written(ordered_json::parse(old, nullptr, false)) == written(setting);
      return same ? std::string(old) : layout_.write(setting, pad);
    }
    const JsonNode* base = nullptr;
    for (const JsonMember* twin : twins) {
      if (twin->value.is_object()) base = &twin->value;
    }
    if (base == nullptr) return layout_.write(without_nulls(setting), pad);

    ordered_json combined = setting;
    for (const JsonMember* twin : twins) {
      if (&twin->value == base) break;
      for (const JsonMember& member : twin->value.members) {
        const bool counts = base->find(member.key).empty() && !find_setting(setting, member.key);
        if (counts && member.value.kind != JsonNode::Kind::null) inherit(combined, member);
      }
    }
    return object(*base, combined, pad);
  }

  /// Adds a sub-key that only an earlier twin has; where several have it, the last counts.
  void inherit(ordered_json& settings, const JsonMember& member) const {
    ordered_json old = ordered_json::parse(member.value.in(text_), nullptr, false);
    for (auto& item : settings.items()) {
      if (!equal_ignoring_ascii_case(item.key(), member.key)) continue;
      item.value() = std::move(old);
      return;
    }
    settings[member.key] = std::move(old);
  }

  /// The white space between a member and what precedes it, '{' or ','.
  [[nodiscard]] std::string_view lead_of(const JsonMember& member) const {
    const std::size_t before = text_.find_last_not_of(" \t\r\n", member.key_begin - 1);
    return between(before + 1, member.key_begin);
  }

  /// The white space before a member that `node` gets as its number `index`.
  [[nodiscard]] std::string lead_of_new(const JsonNode& node, std::size_t index,
                                        const Pad& pad) const {
    if (node.members.empty()) {
      if (pad) return layout_.newline + *pad + layout_.indent;
      return index == 0 ? "" : layout_.gap;
    }
    const std::string_view last = lead_of(node.members.back());
    if (const Pad own = pad_after(last)) return layout_.newline + *own;
    if (index == 0) return std::string(lead_of(node.members.front()));
    return node.members.size() > 1 ? std::string(last) : layout_.gap;
  }

  [[nodiscard]] std::string join(const JsonNode& node, const std::vector<Piece>& pieces,
                                 const Pad& pad) const {
    if (pieces.empty()) return node.members.empty() ? std::string(node.in(text_)) : "{}";
    std::string out = "{";
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      if (i > 0) out += ',';
      // Where the first member went, its successor stands in its place.
      out += i == 0 && !node.members.empty() ? lead_of(node.members.front())
                                             : std::string_view(pieces[i].lead);
      out += pieces[i].body;
    }
    if (!node.members.empty()) {
      out += between(node.members.back().value.end, node.end - 1);
    } else if (pad) {
      out += layout_.newline + *pad;
    }
    out += '}';
    return out;
  }

  std::string_view text_;
  Layout layout_;
};

}  // namespace

Result<std::string> merge_conf(std::string_view existing, const nlohmann::ordered_json& settings) {
  if (!settings.is_object()) {
    return fail(Code::invalid_input, "the settings to merge must be a JSON object");
  }
  IMPRINT_TRY(check_settings(settings));
  const JsonNode root = IMPRINT_TRY(read_json_object(existing));

  const Layout layout = Layout::of(existing, root);
  const Pad pad = layout.one_line ? Pad() : Pad("");
  std::string out(existing.substr(0, root.begin));
  out += Merger(existing, layout).object(root, settings, pad);
  out += existing.substr(root.end);
  return out;
}

}  // namespace imprint::mender
