#include "successors.hpp"

#include <map>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

#include "imprint/base/text.hpp"

namespace imprint::server {

Result<std::vector<std::string>> chown_notes(std::span<const Successor> successors) {
  std::map<std::pair<uid_t, gid_t>, std::string> lists;
  for (const Successor& successor : successors) {
    const Owner owner = IMPRINT_TRY(owner_of(successor.file));
    if (owner == successor.owner || owner.user != ::geteuid()) continue;
    lists[{successor.owner.user, successor.owner.group}] += " " + successor.file.string();
  }
  std::vector<std::string> notes;
  for (const auto& [owner, files] : lists) {
    notes.push_back(
        fmt::format("what was made could not be given to the owner of what it follows: {} as root",
                    quoted(fmt::format("chown {}:{}{}", owner.first, owner.second, files))));
  }
  return notes;
}

}  // namespace imprint::server
