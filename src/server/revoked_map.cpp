#include "revoked_map.hpp"

#include <algorithm>

namespace imprint::server {

std::string revoked_map(std::string_view blacklist) {
  std::string map = "# Made from the blacklist by imprint edge: serial numbers, in hexadecimal.\n";
  while (!blacklist.empty()) {
    const std::size_t end = std::min(blacklist.find('\n'), blacklist.size());
    const std::string_view serial = blacklist.substr(0, end);
    if (!serial.empty()) map.append("\"").append(serial).append("\" 1;\n");
    blacklist.remove_prefix(std::min(end + 1, blacklist.size()));
  }
  return map;
}

}  // namespace imprint::server
