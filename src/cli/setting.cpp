#include "setting.hpp"

#include <fmt/format.h>

namespace imprint::cli {

Result<std::vector<std::pair<std::string, std::string>>> parse_settings(
    std::span<const std::string> texts) {
  std::vector<std::pair<std::string, std::string>> settings;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return fail(Code::invalid_input, fmt::format("--set '{}': write name=value", text));
    }
    settings.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return settings;
}

}  // namespace imprint::cli
