#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "imprint/base/result.hpp"
#include "json_text.hpp"

namespace imprint::mender {

/// One mender.conf, read.
struct ConfFile {
  std::string_view path;  ///< on the device
  std::string_view text;
  JsonNode root;

  /// `'/etc/mender/mender.conf'`, for messages.
  [[nodiscard]] std::string quoted_path() const;

  /// The last of the members of this name, or none.
  [[nodiscard]] const JsonNode* find(std::string_view key) const;

  /// The string at `key`, or at `key` inside the objects named `section` when that is not empty.
  /// The last counts. Other types count for nothing; an empty string is returned as such.
  [[nodiscard]] std::optional<std::string> string_at(std::string_view section,
                                                     std::string_view key) const;
};

/// Reads one file; the error names it.
[[nodiscard]] Result<ConfFile> read_conf_file(std::string_view path, std::string_view text);

/// The string that a client has after reading `files` in order: the last file that sets one wins.
/// Empty is unset.
[[nodiscard]] std::optional<std::string> effective_string(const std::vector<ConfFile>& files,
                                                          std::string_view section,
                                                          std::string_view key);

/// Whether the last file that sets this to true or false says true.
[[nodiscard]] bool effective_flag(const std::vector<ConfFile>& files, std::string_view key);

/// The server that a client asks first, or none.
[[nodiscard]] std::optional<std::string> effective_server(const std::vector<ConfFile>& files);

/// The public keys of which one has to have signed an Artifact; none: any Artifact will do.
[[nodiscard]] std::vector<std::string> effective_verify_keys(const std::vector<ConfFile>& files);

}  // namespace imprint::mender
