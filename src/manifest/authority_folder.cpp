#include "imprint/manifest/authority_folder.hpp"

#include <fmt/format.h>

#include "imprint/authority/ca_folder.hpp"
#include "imprint/base/text.hpp"
#include "imprint/manifest/authority_file.hpp"

namespace imprint::manifest {

Result<authority::AuthoritySource> find_authority(const fs::path& directory, KeyNeed need) {
  const fs::path elsewhere = directory / authority::kAuthorityFile;
  if (IMPRINT_TRY(path_exists(elsewhere))) return read_authority_file(elsewhere);
  const authority::CaPaths folder = IMPRINT_TRY(authority::find_ca_folder(directory));
  if (need == KeyNeed::signs && !IMPRINT_TRY(path_exists(folder.key))) {
    return fail(Code::not_found,
                fmt::format("the CA {} has no key {}; put it there, or write {} to say where it is",
                            quoted(folder.certificate.string()), quoted(folder.key.string()),
                            quoted(elsewhere.string())));
  }
  authority::AuthoritySource source{.certificate = folder.certificate,
                                    .key = authority::KeyFile{folder.key},
                                    .passphrase = std::nullopt};
  if (folder.chain != folder.certificate) source.chain = folder.chain;
  return source;
}

}  // namespace imprint::manifest
