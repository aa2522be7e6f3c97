#pragma once

#include <cstddef>
#include <string_view>

#include "imprint/base/result.hpp"
#include "imprint/crypto/secret.hpp"

namespace imprint::authority {

/// Asks on the terminal of the process, without echo; the line without its end. One that is longer
/// than `limit_bytes` comes cut to a byte more. With `twice` it is asked again and has to be the
/// same: nobody sees what is typed, and what is new cannot be tried out.
[[nodiscard]] Result<crypto::SecretBytes> ask_on_terminal(std::string_view question,
                                                          std::size_t limit_bytes, bool twice);

}  // namespace imprint::authority
