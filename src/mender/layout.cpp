#include "layout.hpp"

#include <nlohmann/json.hpp>

namespace imprint::mender {

using nlohmann::ordered_json;

Pad pad_after(std::string_view lead) {
  const std::size_t line_break = lead.rfind('\n');
  if (line_break == std::string_view::npos) return std::nullopt;
  return std::string(lead.substr(line_break + 1));
}

Layout Layout::of(std::string_view text, const JsonNode& root) {
  Layout layout;
  if (root.members.empty()) return layout;

  const JsonMember& first = root.members.front();
  const std::string_view colon = text.substr(first.key_end, first.value.begin - first.key_end);
  if (colon.find('\n') == std::string_view::npos) layout.colon = colon;
  layout.gap = layout.colon.ends_with(' ') ? " " : "";

  const std::string_view lead = text.substr(root.begin + 1, first.key_begin - root.begin - 1);
  const Pad pad = pad_after(lead);
  layout.one_line = !pad;
  if (!pad) return layout;
  layout.newline = lead.find("\r\n") == std::string_view::npos ? "\n" : "\r\n";

  // A brace on its own line may be indented itself, when the whole text is.
  const std::size_t last_end = root.members.back().value.end;
  const Pad outer = pad_after(text.substr(last_end, root.end - 1 - last_end));
  layout.indent = outer && pad->starts_with(*outer) ? pad->substr(outer->size()) : *pad;
  return layout;
}

std::string Layout::write(const ordered_json& value, const Pad& pad) const {
  // Not ASCII only, and nothing escaped that JSON does not ask for: as a person would write it.
  if (!value.is_structured() || value.empty())
    return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);

  const Pad inner = pad ? Pad(*pad + indent) : std::nullopt;
  std::string out(value.is_object() ? "{" : "[");
  bool first = true;
  for (const auto& item : value.items()) {
    if (!first) out += ',';
    if (inner) {
      out += newline + *inner;
    } else if (!first) {
      out += gap;
    }
    out += value.is_object() ? write_member(item.key(), item.value(), inner)
                             : write(item.value(), inner);
    first = false;
  }
  if (pad) out += newline + *pad;
  out += value.is_object() ? '}' : ']';
  return out;
}

std::string Layout::write_member(const std::string& key, const ordered_json& value,
                                 const Pad& pad) const {
  return write(ordered_json(key), std::nullopt) + colon + write(value, pad);
}

}  // namespace imprint::mender
