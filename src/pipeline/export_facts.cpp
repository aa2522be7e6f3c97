#include "export_facts.hpp"

#include <fmt/format.h>

#include "imprint/crypto/digest.hpp"
#include "imprint/crypto/key.hpp"
#include "imprint/pipeline/export.hpp"

namespace imprint::pipeline {

namespace {

using ledger::DeviceRow;
using manifest::IdentityDatum;
using Json = nlohmann::ordered_json;

Result<> check_digest(ByteView bytes, const ledger::Sha256& recorded, std::string_view what) {
  if (crypto::sha256(bytes) == recorded) return {};
  return fail(Code::corrupt, fmt::format("its {} in the ledger is not the one whose digest was "
                                         "recorded with it: the ledger is damaged",
                                         what));
}

Unexpected not_recorded(std::string_view what) {
  return fail(Code::not_found,
              fmt::format("its {} is not in the ledger, as it was issued by an older imprint: give "
                          "it a new identity, or leave such devices out with --skip-incomplete",
                          what));
}

Result<> check_key(const DeviceRow& row) {
  if (row.public_key.empty()) return not_recorded("public key");
  return check_digest(row.public_key, row.public_key_sha256, "public key");
}

std::optional<std::string> fact(const DeviceRow& row, std::string_view name) {
  if (name == "id") return row.device_id;
  if (name == "serial_hex") return to_hex(row.serial);
  if (name == "certificate_sha256") return to_hex(row.certificate_sha256);
  if (name == "public_key_sha256") return to_hex(row.public_key_sha256);
  return std::nullopt;
}

}  // namespace

Result<crypto::Certificate> certificate_of(const DeviceRow& row) {
  if (row.certificate.empty()) return not_recorded("certificate");
  IMPRINT_TRY(check_digest(row.certificate, row.certificate_sha256, "certificate"));
  return crypto::Certificate::parse(row.certificate).context("its certificate in the ledger");
}

Result<std::string> public_key_of(const DeviceRow& row) {
  IMPRINT_TRY(check_key(row));
  return crypto::public_key_pem(row.public_key);
}

Result<Json> identity_data_of(const DeviceRow& row, const std::vector<IdentityDatum>& otherwise) {
  if (!row.identity_data.empty()) {
    Json data = Json::parse(row.identity_data, nullptr, false);
    if (data.is_object()) return data;
    return fail(Code::corrupt,
                "its identity data in the ledger is no JSON object: the ledger is damaged");
  }
  if (otherwise.empty()) return Json();
  Json data = Json::object();
  for (const auto& [name, text] : otherwise) {
    std::string value;
    std::string looked_up;
    const auto lookup = [&](std::string_view variable) -> std::optional<std::string_view> {
      const auto found = fact(row, variable);
      if (!found) return std::nullopt;
      looked_up = *found;
      return looked_up;
    };
    IMPRINT_TRY(text.expand(lookup, value).context("--identity-data"));
    data[name] = std::move(value);
  }
  return data;
}

Result<Json> required_identity_data(const DeviceRow& row,
                                    const std::vector<IdentityDatum>& otherwise) {
  Json data = IMPRINT_TRY(identity_data_of(row, otherwise));
  if (!data.is_null()) return data;
  return fail(Code::not_found,
              "the ledger does not know what it will report as its identity, as its manifest had "
              "no 'identity_data': give --identity-data NAME=TEMPLATE, such as 'sn={id}', or leave "
              "such devices out with --skip-incomplete");
}

Result<Introduction> introduction_of(const DeviceRow& row,
                                     const std::vector<IdentityDatum>& otherwise) {
  IMPRINT_TRY(check_key(row));
  const Json data = IMPRINT_TRY(required_identity_data(row, otherwise));
  return Introduction{.identity_data = json_line(data), .public_key = row.public_key};
}

std::string json_line(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace imprint::pipeline
