#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace imprint::test {

struct CommandResult {
  int status =
      -1;  ///< exit status; 128 + signal for a killed command; 127 when it cannot be started
  std::string out;
  std::string err;
};

/// Runs a command without a shell, found in PATH and the sbin folders. `input` becomes its stdin.
[[nodiscard]] CommandResult run_command(const std::vector<std::string>& argv,
                                        std::string_view input = {});

/// Full path of a program as `run_command` finds it, empty when there is none.
[[nodiscard]] std::string program_path(std::string_view program);

/// Whether `run_command` would find this program: tests whose oracle is missing skip.
[[nodiscard]] bool has_command(std::string_view program);

}  // namespace imprint::test

/// Skips the test, visibly, when an independent tool is not installed.
#define IMPRINT_NEED_COMMAND(program)                          \
  if (!::imprint::test::has_command(program)) {                \
    GTEST_SKIP() << "needs the program '" << (program) << "'"; \
  }                                                            \
  static_assert(true, "")
