#pragma once

#include <ostream>
#include <span>
#include <string>

namespace imprint::cli {

/// Exit statuses, the same for every command, so that a scheduler can tell what to do next.
enum class Exit : int {
  done = 0,
  failed = 1,         ///< a check failed, or something is wrong with imprint itself
  bad_input = 2,      ///< bad usage or input; nothing was done: do not retry
  some_failed = 3,    ///< some devices failed, the rest is done
  environment = 4,    ///< no space, no permission, I/O, busy: may pass later
  interrupted = 130,  ///< asked to stop: run the same command again to go on
};

/// The program: `args` without the program's name, data to `out`, messages to `err`. Returns the
/// exit status. Installs handlers for SIGINT and SIGTERM while a command runs that can be resumed.
int run(std::span<const std::string> args, std::ostream& out, std::ostream& err);

}  // namespace imprint::cli
