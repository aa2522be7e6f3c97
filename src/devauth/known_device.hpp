#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "imprint/base/bytes.hpp"

namespace imprint::devauth {

/// A device as the server shows it: the answer 409, and `GET devices/{id}`.
struct KnownDevice {
  std::string id;
  std::string status;  ///< `preauthorized`, `accepted`, `pending`, `rejected`, `noauth`; or empty
  bool decommissioning = false;
  bool keys_shown =
      false;  ///< whether `auth_sets` is there; servers leave it out of the answer 409

  enum class Key { absent, present, rejected };

  Key key = Key::absent;  ///< what it knows of the key that was asked about
  bool has_keys = false;  ///< whether it has any
};

/// None when it is no such document or its id could not stand in a URL.
[[nodiscard]] std::optional<KnownDevice> parse_known_device(std::string_view json,
                                                            ByteView public_key_der);

/// The id at the end of a `Location`: `devices/ID`, with or without what stands before it.
[[nodiscard]] std::optional<std::string> device_id_of(std::string_view location);

/// What the server says is wrong: the `error` of its JSON, else the text itself; one short line
/// without control characters, empty when there is nothing to show.
[[nodiscard]] std::string error_text(std::string_view body);

}  // namespace imprint::devauth
