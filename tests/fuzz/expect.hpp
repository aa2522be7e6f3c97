#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "imprint/base/result.hpp"

namespace imprint::fuzz {

[[nodiscard]] inline std::string_view text_of_input(const std::uint8_t* data,
                                                    std::size_t size) noexcept {
  return {reinterpret_cast<const char*>(data), size};
}

/// Ends the process, in every build, so that the fuzzer keeps the input.
inline void expect(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

/// Whatever the input: a failure is the input's fault, not ours, and fits on one line.
inline void expect_decent(const Error& error) {
  expect(error.code != Code::internal, "an input is never an internal error");
  expect(error.message().find('\n') == std::string::npos, "a message is one line");
  expect(error.message().size() < 2000, "a message is no dump");
}

}  // namespace imprint::fuzz
