#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace imprint::test {

/// A running program, to be signalled and waited for. Killed and collected when it goes out of
/// scope.
class Process {
 public:
  /// Standard output and error go to `log`.
  Process(const std::vector<std::string>& argv, const std::filesystem::path& log);
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }

  void signal(int number) const;
  /// Whether it has not ended yet.
  [[nodiscard]] bool running();
  /// Exit status, or 128 + signal.
  int wait();

 private:
  pid_t pid_ = -1;
  int status_ = -1;
  bool ended_ = false;
};

/// Runs `body` in a child process (fork, no exec) and waits: exit status or 128 + signal. The
/// calling process must have no other threads.
int run_in_child(const std::function<int()>& body);

/// Waits until `condition` holds, looking every millisecond; false after `limit`.
bool wait_until(const std::function<bool()>& condition,
                std::chrono::milliseconds limit = std::chrono::seconds(60));

}  // namespace imprint::test
