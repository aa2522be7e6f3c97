#pragma once

#include <cstdint>

namespace imprint::test {

/// A port of 127.0.0.1 that nobody listens on now; somebody else may take it before the server
/// does.
[[nodiscard]] std::uint16_t free_port();

/// Whether somebody listens there.
[[nodiscard]] bool answers(std::uint16_t port);

}  // namespace imprint::test
