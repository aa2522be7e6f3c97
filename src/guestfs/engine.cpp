#include "imprint/guestfs/engine.hpp"

#include <fmt/format.h>

#include "imprint/base/text.hpp"

namespace imprint::guestfs {

Result<Engine> parse_engine(std::string_view word) {
  if (word == "auto") return Engine::automatic;
  if (word == "native") return Engine::native;
  if (word == "guestfs") return Engine::guestfs;
  return fail(
      Code::invalid_input,
      fmt::format("--engine {} is no engine; known are auto, native, guestfs", quoted(word)));
}

}  // namespace imprint::guestfs
