#include "listing.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "imprint/base/bytes.hpp"

namespace imprint::cli {

std::string_view type_word(image::NodeType type) noexcept {
  switch (type) {
    case image::NodeType::file:
      return "file";
    case image::NodeType::directory:
      return "directory";
    case image::NodeType::symlink:
      return "link";
    case image::NodeType::other:
      break;
  }
  return "other";
}

std::string mode_text(const image::NodeInfo& node) {
  constexpr std::string_view kLetters = "rwxrwxrwx";
  std::string text(1 + kLetters.size(), '-');
  if (node.type == image::NodeType::directory) text[0] = 'd';
  if (node.type == image::NodeType::symlink) text[0] = 'l';
  if (node.type == image::NodeType::other) text[0] = '?';
  for (std::size_t i = 0; i < kLetters.size(); ++i) {
    if ((node.mode & (0400U >> i)) != 0) text[i + 1] = kLetters[i];
  }
  // Set-user-id, set-group-id and sticky share the place of an x: capitals where that is not set.
  const auto special = [&](unsigned bit, std::size_t at, char with_x, char without) {
    if ((node.mode & bit) != 0) text[at] = text[at] == 'x' ? with_x : without;
  };
  special(04000, 3, 's', 'S');
  special(02000, 6, 's', 'S');
  special(01000, 9, 't', 'T');
  return text;
}

nlohmann::ordered_json node_record(const image::NodeInfo& node) {
  return {{"type", type_word(node.type)},
          {"mode", fmt::format("{:04o}", node.mode)},
          {"uid", node.uid},
          {"gid", node.gid},
          {"size", node.size_bytes},
          {"links", node.links},
          {"inode", node.inode},
          {"modified", to_rfc3339(node.modified)},
          {"accessed", to_rfc3339(node.accessed)},
          {"changed", to_rfc3339(node.changed)}};
}

std::string value_text(ByteView value) {
  ByteView text = value;
  if (!text.empty() && text.back() == std::byte{0}) text = text.first(text.size() - 1);
  const bool printable = std::ranges::all_of(
      text, [](std::byte byte) { return byte >= std::byte{0x20} && byte < std::byte{0x7F}; });
  return printable ? std::string(text_of(text)) : "0x" + to_hex(value);
}

}  // namespace imprint::cli
