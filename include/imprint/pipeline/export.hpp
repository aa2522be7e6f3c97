#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"
#include "imprint/ledger/ledger.hpp"
#include "imprint/manifest/manifest.hpp"

/// The devices of a ledger, as the servers that are to accept them want to be told.
namespace imprint::pipeline {

/// docs/export.md has an example of each.
enum class ExportFormat {
  preauthorize,  ///< a request body a line, for the Mender server
  csv,
  json,
  aws,       ///< parameters of a bulk registration, a line for each device
  azure_dps  ///< a bulk enrollment a line, of up to ten devices
};

/// `preauthorize`, `csv`, `json`, `aws` or `azure-dps`; anything else is Code::invalid_input.
[[nodiscard]] Result<ExportFormat> parse_export_format(std::string_view word);

/// `NAME=TEMPLATE`: what devices report as their identity. The templates' variables are facts of
/// the ledger: id, serial_hex, certificate_sha256, public_key_sha256.
[[nodiscard]] Result<std::vector<manifest::IdentityDatum>> parse_identity_data(
    const std::vector<std::string>& texts);

/// What a Mender server has to be told of a device before it connects.
struct Introduction {
  std::string identity_data;  ///< a JSON object in one line
  Bytes public_key;           ///< SubjectPublicKeyInfo, DER
};

/// From the ledger, and where that has no identity data from these templates. Code::not_found, with
/// what to do, when something is missing; the message does not name the device.
[[nodiscard]] Result<Introduction> introduction_of(
    const ledger::DeviceRow& row, const std::vector<manifest::IdentityDatum>& otherwise);

struct ExportRequest {
  fs::path ledger;
  ExportFormat format = ExportFormat::json;
  std::vector<std::string> ids;  ///< none: every device
  ledger::State state = ledger::State::placed;
  std::vector<manifest::IdentityDatum> identity_data;  ///< of devices that have none in the ledger
  bool skip_incomplete = false;  ///< leave out devices of which the ledger knows too little
};

struct ExportReport {
  std::uint64_t exported = 0;
  std::uint64_t skipped = 0;
  std::string first_skipped;  ///< which, and why
};

/// Exports the latest certificate of each device that is in this state and not revoked; what is no
/// device's is left out. All or nothing: a device that cannot be exported is an error that names it
/// and counts the others. An id that is given and not exported is an error, too. `sink` is called
/// only once all is known to be well, with whole lines.
[[nodiscard]] Result<ExportReport> export_devices(
    const ExportRequest& request, const std::function<Result<>(std::string_view)>& sink);

/// To a file, 0644: it holds no secret. Replaces an earlier export of the same format, as a whole,
/// and nothing else: Code::exists.
[[nodiscard]] Result<ExportReport> export_devices(const ExportRequest& request,
                                                  const fs::path& output);

}  // namespace imprint::pipeline
