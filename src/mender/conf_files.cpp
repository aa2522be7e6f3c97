#include "conf_files.hpp"

#include "imprint/base/text.hpp"

namespace imprint::mender {
namespace {

/// Strings in `object` under `key`, the last of them.
std::optional<std::string> last_string(std::string_view text, const JsonNode& object,
                                       std::string_view key) {
  std::optional<std::string> last;
  for (const JsonMember* member : object.find(key)) {
    if (auto value = string_value(text, member->value)) last = std::move(value);
  }
  return last;
}

/// The URLs of a `Servers` list, in order.
std::vector<std::string> server_list(std::string_view text, const JsonNode& servers) {
  std::vector<std::string> urls;
  for (const JsonNode& server : servers.elements) {
    if (auto url = last_string(text, server, "ServerURL")) urls.push_back(std::move(*url));
  }
  return urls;
}

}  // namespace

std::string ConfFile::quoted_path() const {
  return quoted(path);
}

const JsonNode* ConfFile::find(std::string_view key) const {
  const auto found = root.find(key);
  return found.empty() ? nullptr : &found.back()->value;
}

std::optional<std::string> ConfFile::string_at(std::string_view section,
                                               std::string_view key) const {
  if (section.empty()) return last_string(text, root, key);
  std::optional<std::string> last;
  for (const JsonMember* member : root.find(section)) {
    if (auto value = last_string(text, member->value, key)) last = std::move(value);
  }
  return last;
}

Result<ConfFile> read_conf_file(std::string_view path, std::string_view text) {
  JsonNode root = IMPRINT_TRY(read_json_object(text).context(quoted(path)));
  return ConfFile{.path = path, .text = text, .root = std::move(root)};
}

std::optional<std::string> effective_string(const std::vector<ConfFile>& files,
                                            std::string_view section, std::string_view key) {
  std::optional<std::string> effective;
  for (const ConfFile& file : files) {
    if (auto value = file.string_at(section, key)) effective = std::move(value);
  }
  if (effective && effective->empty()) return std::nullopt;
  return effective;
}

bool effective_flag(const std::vector<ConfFile>& files, std::string_view key) {
  bool effective = false;
  for (const ConfFile& file : files) {
    for (const JsonMember* member : file.root.find(key)) {
      if (member->value.kind == JsonNode::Kind::boolean)
        effective = member->value.in(file.text) == "true";
    }
  }
  return effective;
}

std::optional<std::string> effective_server(const std::vector<ConfFile>& files) {
  std::vector<std::string> servers;
  for (const ConfFile& file : files) {
    // A later file's list replaces an earlier one's, also when it is empty.
    if (const JsonNode* list = file.find("Servers")) servers = server_list(file.text, *list);
    if (auto url = file.string_at("", "ServerURL")) servers = {std::move(*url)};
  }
  if (servers.empty() || servers.front().empty()) return std::nullopt;
  return servers.front();
}

std::vector<std::string> effective_verify_keys(const std::vector<ConfFile>& files) {
  std::vector<std::string> keys;
  for (const ConfFile& file : files) {
    if (const JsonNode* list = file.find("ArtifactVerifyKeys")) {
      keys.clear();
      for (const JsonNode& element : list->elements) {
        if (auto path = string_value(file.text, element)) keys.push_back(std::move(*path));
      }
    }
    if (auto path = file.string_at("", "ArtifactVerifyKey")) keys = {std::move(*path)};
  }
  std::erase(keys, std::string());
  return keys;
}

}  // namespace imprint::mender
