#include "env_values.hpp"

#include <algorithm>

namespace imprint::server {

namespace {

/// The first line, which goes from `text`, without its end.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

}  // namespace

std::string_view env_value(ByteView file, std::string_view name) {
  std::string_view rest = text_of(file);
  std::string_view found;
  while (!rest.empty()) {
    std::string_view line = take_line(rest);
    if (!line.starts_with(name)) continue;
    line.remove_prefix(name.size());
    if (!line.starts_with('=')) continue;
    line.remove_prefix(1);
    if (line.ends_with('\r')) line.remove_suffix(1);  // docker drops it, too
    if (!line.empty()) found = line;
  }
  return found;
}

crypto::SecretBytes with_filled_in(std::string_view text, ByteView before,
                                   std::vector<std::string>& kept) {
  crypto::SecretBytes filled;
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    filled.append(bytes_of(line));
    if (line.ends_with('=') && !line.starts_with('#')) {
      const std::string_view name = line.substr(0, line.size() - 1);
      const std::string_view value = env_value(before, name);
      filled.append(bytes_of(value));
      if (!value.empty()) kept.emplace_back(name);
    }
    filled.append(bytes_of("\n"));
  }
  return filled;
}

}  // namespace imprint::server
