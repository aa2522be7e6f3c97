#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "imprint/base/bytes.hpp"
#include "imprint/base/result.hpp"

/// The client of a Mender server's device authentication: it tells the server of devices before
/// they connect.
namespace imprint::devauth {

/// A device that a server is to let in.
struct Preauthorization {
  std::string label;          ///< for messages, quoted there: the device's id, or `line 3`
  std::string identity_data;  ///< a JSON object, as the device's identity script will send it
  Bytes public_key;           ///< SubjectPublicKeyInfo, DER
  std::int64_t row = 0;       ///< the caller's own number for it
};

/// The JSON text of `POST /api/management/v2/devauth/devices` for a device, in one line.
/// `identity_data` has to be a JSON object that is not empty (the server refuses others).
[[nodiscard]] Result<std::string> preauthorization_body(std::string_view identity_data,
                                                        ByteView public_key_der,
                                                        bool force = false);

/// Reads bodies, one a line, as `ledger export --format preauthorize` writes them. Empty lines are
/// skipped. An error names the line and the rule; two lines of one identity are one.
/// `force` in a body has to be a boolean and is not kept: the caller says it for all.
[[nodiscard]] Result<std::vector<Preauthorization>> parse_bodies(std::string_view text);

}  // namespace imprint::devauth
