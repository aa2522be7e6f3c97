#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "imprint/base/result.hpp"

namespace imprint::server {

/// What a server's certificate calls it. Checked; made by server_names.
struct ServerNames {
  std::string common_name;
  std::vector<std::string> alt_names;  ///< `DNS:name` and `IP:address`, each once
};

/// Names from a common name and, when there are any, the alternative ones: `DNS:name`,
/// `IP:address`, or either without the word; the common name is the first of them when it is one.
/// Without alternative names they are those of keygen: for a host name it and `*.` before it, for
/// an address or a wildcard the common name alone. The `..._option` stand in messages for where a
/// name comes from.
///
/// Refuses what is neither a host name nor an address, and wildcards that no verifier takes: `*`
/// stands alone as the leftmost label, over two labels at least (RFC 6125 6.4.3), not in addresses.
[[nodiscard]] Result<ServerNames> server_names(std::string_view common_name,
                                               std::string_view name_option,
                                               std::span<const std::string> alt_names,
                                               std::string_view alt_name_option);

/// `DNS:a.example, IP:192.0.2.1` as CERT_SAN lists them: split at commas, blanks around them gone.
[[nodiscard]] std::vector<std::string> split_names(std::string_view list);

}  // namespace imprint::server
