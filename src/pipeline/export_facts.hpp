#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "imprint/crypto/certificate.hpp"
#include "imprint/ledger/ledger.hpp"
#include "imprint/manifest/manifest.hpp"

/// What the ledger knows of a device, checked as far as the ledger can show that it is what was
/// recorded. Errors say what to do about what is missing; the device is for callers to name.
namespace imprint::pipeline {

[[nodiscard]] Result<crypto::Certificate> certificate_of(const ledger::DeviceRow& row);

/// PEM.
[[nodiscard]] Result<std::string> public_key_of(const ledger::DeviceRow& row);

/// What the device reports; null when that is neither in the ledger nor made by `otherwise`.
[[nodiscard]] Result<nlohmann::ordered_json> identity_data_of(
    const ledger::DeviceRow& row, const std::vector<manifest::IdentityDatum>& otherwise);

/// The same for who cannot do without.
[[nodiscard]] Result<nlohmann::ordered_json> required_identity_data(
    const ledger::DeviceRow& row, const std::vector<manifest::IdentityDatum>& otherwise);

/// In one line. Not every file name is UTF-8; replacing what is not keeps the document readable.
[[nodiscard]] std::string json_line(const nlohmann::ordered_json& value);

}  // namespace imprint::pipeline
