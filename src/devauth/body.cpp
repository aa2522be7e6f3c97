#include "imprint/devauth/body.hpp"

#include <unordered_map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "imprint/base/text.hpp"
#include "imprint/crypto/issue.hpp"
#include "imprint/crypto/key.hpp"
#include "shortened.hpp"

namespace imprint::devauth {

namespace {

using Json = nlohmann::json;  // members sorted by name, as the server keeps identities

/// Far more than any body has; dumping is recursive, so depth has to be bounded too.
constexpr std::size_t kLongestLine = 64U * 1024;

Unexpected invalid(std::string text) {
  return fail(Code::invalid_input, std::move(text));
}

/// By reference: copying what is nested deeply would be deep recursion.
Result<> check_identity(const Json& value) {
  if (!value.is_object()) return invalid("'identity_data' is no JSON object");
  if (value.empty()) {
    return invalid("'identity_data' is empty; name what the device's identity script sends");
  }
  for (const auto& [name, member] : value.items()) {
    // What the server stores of arrays and objects it cannot filter by, and the client sends none.
    if (member.is_structured() && !member.is_array()) {
      return invalid(fmt::format("'identity_data' member {} is an object; give text",
                                 quoted(shortened(name))));
    }
    for (const Json& element : member) {
      if (element.is_structured()) {
        return invalid(
            fmt::format("'identity_data' member {} is nested; give text", quoted(shortened(name))));
      }
    }
  }
  return {};
}

Result<Bytes> parse_key(const Json& body) {
  const auto member = body.find("pubkey");
  if (member == body.end()) return invalid("'pubkey' is missing");
  if (!member->is_string()) return invalid("'pubkey' is no text");
  const auto& pem = member->get_ref<const std::string&>();
  if (pem.find("-----BEGIN PUBLIC KEY-----") == std::string::npos) {
    return invalid("'pubkey' is no public key in PEM ('-----BEGIN PUBLIC KEY-----')");
  }
  const auto key = IMPRINT_TRY(crypto::PublicKey::parse(bytes_of(pem)).context("'pubkey'"));
  return key.der();
}

Result<Preauthorization> parse_body(std::string_view line) {
  if (line.size() > kLongestLine) {
    return invalid(fmt::format("longer than {} bytes, which no body is", kLongestLine));
  }
  const Json body = Json::parse(line, nullptr, false);
  if (!body.is_object()) return invalid("is no JSON object");
  for (const auto& [name, value] : body.items()) {
    if (name != "identity_data" && name != "pubkey" && name != "force") {
      return invalid(
          fmt::format("there is no member {}; a body has 'identity_data', 'pubkey' and 'force'",
                      quoted(shortened(name))));
    }
  }
  const auto force = body.find("force");
  if (force != body.end() && !force->is_boolean())
    return invalid("'force' is neither true nor false");
  const auto identity = body.find("identity_data");
  if (identity == body.end()) return invalid("'identity_data' is missing");
  Preauthorization device;
  IMPRINT_TRY(check_identity(*identity));
  device.identity_data = identity->dump(-1, ' ', false, Json::error_handler_t::replace);
  device.public_key = IMPRINT_TRY(parse_key(body));
  return device;
}

}  // namespace

Result<std::string> preauthorization_body(std::string_view identity_data, ByteView public_key_der,
                                          bool force) {
  const Json identity = Json::parse(identity_data, nullptr, false);
  IMPRINT_TRY(check_identity(identity));
  nlohmann::ordered_json body;
  body["identity_data"] = identity;
  body["pubkey"] = crypto::public_key_pem(public_key_der);
  body["force"] = force;
  return body.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

Result<std::vector<Preauthorization>> parse_bodies(std::string_view text) {
  std::vector<Preauthorization> devices;
  std::unordered_map<std::string, std::size_t> by_identity;
  std::size_t number = 0;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.find_first_not_of(" \t") == std::string_view::npos) continue;
    const std::string label = fmt::format("line {}", number);
    Preauthorization device = IMPRINT_TRY(parse_body(line).context(label));
    const auto [before, is_new] = by_identity.emplace(device.identity_data, devices.size());
    if (!is_new) {
      const Preauthorization& other = devices[before->second];
      if (other.public_key == device.public_key) continue;
      return invalid(fmt::format("{} has the identity of {} and another key; keep one of them",
                                 label, other.label));
    }
    device.label = label;
    devices.push_back(std::move(device));
  }
  return devices;
}

}  // namespace imprint::devauth
