#include "ca_options.hpp"

#include <CLI/CLI.hpp>

#include "imprint/manifest/authority_folder.hpp"

namespace imprint::cli {

Result<authority::AuthoritySource> find_ca(const fs::path& directory, const std::string& passphrase,
                                           const std::string& option) {
  authority::AuthoritySource source = IMPRINT_TRY(manifest::find_authority(directory));
  if (!passphrase.empty()) {
    source.passphrase = IMPRINT_TRY(authority::parse_passphrase_source(passphrase).context(option));
  }
  return source;
}

void CaOptions::add_directory_to(CLI::App& command) {
  command
      .add_option("DIR", directory,
                  "The CA's folder, as imprint, easy-rsa, openssl ca or step made it")
      ->required();
}

void CaOptions::add_to(CLI::App& command) {
  add_directory_to(command);
  command.add_option("--passphrase", passphrase,
                     "Where the CA key's passphrase or the token's PIN is: env:NAME, file:PATH, "
                     "fd:N, credential:NAME, prompt");
}

Result<authority::AuthoritySource> CaOptions::certificate_source() const {
  return manifest::find_authority(directory, manifest::KeyNeed::none);
}

Result<authority::AuthoritySource> CaOptions::source() const {
  return find_ca(directory, passphrase, "--passphrase");
}

}  // namespace imprint::cli
