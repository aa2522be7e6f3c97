#include "entry_name.hpp"

#include <fmt/format.h>

#include "imprint/base/text.hpp"

namespace imprint::files {

Result<> check_entry_name(const std::string& name, const Source& source) {
  if (!name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos) {
    return {};
  }
  return fail(Code::corrupt, fmt::format("{} has an entry named {}, which is no file name; repair "
                                         "the file system with 'e2fsck -f'",
                                         quoted(source.described()), quoted(name)));
}

}  // namespace imprint::files
