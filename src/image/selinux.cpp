#include "imprint/image/selinux.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "imprint/base/text.hpp"

namespace imprint::image {

Result<ExtendedAttribute> selinux_label(std::string_view label) {
  if (std::ranges::count(label, ':') < 2 || label.find('\0') != std::string_view::npos) {
    return fail(Code::invalid_input,
                fmt::format("{} is no SELinux label: it is USER:ROLE:TYPE and perhaps :LEVEL",
                            quoted(label)));
  }
  const ByteView bytes = bytes_of(label);
  ExtendedAttribute attribute{.name = "security.selinux",
                              .value = Bytes(bytes.begin(), bytes.end())};
  attribute.value.push_back(std::byte{0});
  return attribute;
}

}  // namespace imprint::image
