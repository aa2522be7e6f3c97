#pragma once

#include <string_view>

#include "imprint/base/result.hpp"
#include "imprint/image/node.hpp"

namespace imprint::image {

/// A SELinux label (USER:ROLE:TYPE, perhaps :LEVEL) as the kernel keeps it: security.selinux,
/// ending in a NUL. Code::invalid_input for what is none.
[[nodiscard]] Result<ExtendedAttribute> selinux_label(std::string_view label);

}  // namespace imprint::image
