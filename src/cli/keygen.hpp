#pragma once

#include <optional>
#include <string>
#include <vector>

#include "command.hpp"
#include "imprint/server/keygen.hpp"

namespace imprint::cli {

/// The names that the server's certificates get, as arguments and environment say.
struct KeygenNames {
  std::string layout;
  std::string common_name;
  std::vector<std::string> alt_names;
  std::string api_name;
  std::string storage_name;

  void add_to(CLI::App& command);
  [[nodiscard]] bool any() const;
};

/// The layout that is meant, and names for each of its certificates.
struct KeygenChoice {
  server::Layout layout = server::Layout::current;
  std::vector<server::ServerNames> servers;
  std::vector<std::string> notes;
};

/// Flags win over keygen's environment variables: CERT_CN and CERT_SAN for the current layout,
/// CERT_API_CN and CERT_STORAGE_CN for the classic one. Without --layout the one is meant that
/// names are given for.
[[nodiscard]] Result<KeygenChoice> choose_names(const KeygenNames& names);

/// What arguments and environment say of the names, for each certificate of this layout: parts that
/// nothing is said of are empty, and so is the list when nothing is said at all.
[[nodiscard]] Result<std::vector<server::ServerNames>> asked_names(const KeygenNames& names,
                                                                   server::Layout layout);

/// The names by arguments alone, for each certificate of this layout; empty when none are given.
[[nodiscard]] Result<std::vector<server::ServerNames>> given_names(const KeygenNames& names,
                                                                   server::Layout layout);

/// The CA that is to sign, and its ledger.
struct KeygenCa {
  fs::path directory;
  std::string passphrase;
  fs::path ledger;

  void add_to(CLI::App& command);
  [[nodiscard]] Result<std::optional<server::CaChoice>> choice() const;
};

/// `imprint keygen rotate`.
Action add_keygen_rotate(CLI::App& keygen);

}  // namespace imprint::cli
