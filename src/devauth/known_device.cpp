// Facts of the server (mender-server, deviceauth): identities are compared by the SHA-256 of their
// JSON with sorted names. The 409 shows the device without its `auth_sets`, so that its keys take a
// second request. Keys in them are PEM, encoded anew by the server.

#include "known_device.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "imprint/base/text.hpp"
#include "imprint/base/utf8.hpp"
#include "imprint/crypto/issue.hpp"
#include "shortened.hpp"

namespace imprint::devauth {

namespace {

using Json = nlohmann::json;

std::string text_member(const Json& object, const char* name) {
  const auto member = object.find(name);
  return member != object.end() && member->is_string() ? member->get<std::string>() : std::string();
}

bool true_member(const Json& object, const char* name) {
  const auto member = object.find(name);
  return member != object.end() && member->is_boolean() && member->get<bool>();
}

/// Ids are UUIDs, of old servers 24 hexadecimal digits.
bool may_be_id(std::string_view id) {
  return !id.empty() && id.size() <= 64 && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

bool is_key(const std::string& pem, ByteView public_key_der) {
  const auto key = crypto::PublicKey::parse(bytes_of(pem));
  if (!key) return false;
  const auto der = key->der();
  return der && std::equal(der->begin(), der->end(), public_key_der.begin(), public_key_der.end());
}

void look_at_keys(const Json& auth_sets, ByteView public_key_der, KnownDevice& device) {
  for (const Json& auth_set : auth_sets) {
    if (!auth_set.is_object()) continue;
    device.has_keys = true;
    if (!is_key(text_member(auth_set, "pubkey"), public_key_der)) continue;
    const bool rejected = text_member(auth_set, "status") == "rejected";
    device.key = rejected ? KnownDevice::Key::rejected : KnownDevice::Key::present;
    return;
  }
}

}  // namespace

std::optional<KnownDevice> parse_known_device(std::string_view json, ByteView public_key_der) {
  const Json document = Json::parse(json, nullptr, false);
  if (!document.is_object()) return std::nullopt;
  KnownDevice device;
  device.id = text_member(document, "id");
  if (!may_be_id(device.id)) return std::nullopt;
  device.status = text_member(document, "status");
  device.decommissioning = true_member(document, "decommissioning");
  const auto auth_sets = document.find("auth_sets");
  device.keys_shown = auth_sets != document.end() && auth_sets->is_array();
  if (device.keys_shown) look_at_keys(*auth_sets, public_key_der, device);
  return device;
}

std::optional<std::string> device_id_of(std::string_view location) {
  constexpr std::string_view kFolder = "devices/";
  const std::size_t folder = location.rfind(kFolder);
  if (folder == std::string_view::npos) return std::nullopt;
  if (folder > 0 && location[folder - 1] != '/') return std::nullopt;
  const std::string_view id = location.substr(folder + kFolder.size());
  if (!may_be_id(id)) return std::nullopt;
  return std::string(id);
}

std::string error_text(std::string_view body) {
  const Json document = Json::parse(body, nullptr, false);
  std::string text = document.is_object() ? text_member(document, "error") : std::string(body);
  if (text.empty() || utf8::first_invalid(text)) return {};
  if (text.find('<') != std::string::npos) return {};  // a web page of something in between
  text = shortened(text);
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' '))
    text.pop_back();
  return printable(text);
}

}  // namespace imprint::devauth
