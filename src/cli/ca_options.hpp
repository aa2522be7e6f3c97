#pragma once

#include <string>

#include "imprint/authority/authority.hpp"
#include "imprint/base/file.hpp"

namespace CLI {
class App;
}

namespace imprint::cli {

/// The CA that a command works with, as its arguments name it.
struct CaOptions {
  fs::path directory;
  std::string passphrase;

  /// Adds DIR and --passphrase.
  void add_to(CLI::App& command);
  /// DIR alone, for what needs no key.
  void add_directory_to(CLI::App& command);

  [[nodiscard]] Result<authority::AuthoritySource> source() const;
  /// The same where the key need not be there.
  [[nodiscard]] Result<authority::AuthoritySource> certificate_source() const;
};

/// A folder and the source of its key's passphrase (empty: none), named `option` in messages.
[[nodiscard]] Result<authority::AuthoritySource> find_ca(const fs::path& directory,
                                                         const std::string& passphrase,
                                                         const std::string& option);

}  // namespace imprint::cli
