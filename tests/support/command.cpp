#include "support/command.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <spawn.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

#include "support/temp_dir.hpp"

namespace imprint::test {

namespace fs = std::filesystem;

// The sbin folders hold e2fsck and nginx and are often not in PATH.
std::string program_path(std::string_view program) {
  if (program.find('/') != std::string_view::npos) return std::string(program);
  const char* variable = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe): nobody sets it
  std::string path = variable == nullptr ? "/usr/bin:/bin" : variable;
  path += ":/usr/sbin:/sbin";
  std::size_t start = 0;
  while (start <= path.size()) {
    const std::size_t end = std::min(path.find(':', start), path.size());
    const fs::path candidate = fs::path(path.substr(start, end - start)) / program;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate.native();
    start = end + 1;
  }
  return {};
}

bool has_command(std::string_view program) {
  return !program_path(program).empty();
}

CommandResult run_command(const std::vector<std::string>& argv, std::string_view input) {
  CommandResult result;
  const std::string program = program_path(argv.at(0));
  if (program.empty()) {
    result.status = 127;
    result.err = "no program '" + argv.at(0) + "'";
    return result;
  }
  // Files, not pipes: no reader has to keep up with the writer.
  const TempDir dir;
  const fs::path in = dir.write("in", input);
  const fs::path out = dir / "out";
  const fs::path err = dir / "err";
  constexpr int kCreate = O_WRONLY | O_CREAT | O_TRUNC;

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, in.c_str(), O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out.c_str(), kCreate, 0600);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, err.c_str(), kCreate, 0600);
  std::vector<char*> arguments;
  arguments.reserve(argv.size() + 1);
  for (const std::string& argument : argv)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);

  pid_t child = -1;
  const int error =
      posix_spawn(&child, program.c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    result.status = 127;
    result.err = std::generic_category().message(error);
    return result;
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  result.out = slurp(out);
  result.err = slurp(err);
  return result;
}

}  // namespace imprint::test
