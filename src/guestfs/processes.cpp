#include "processes.hpp"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sys/syscall.h>
#include <unistd.h>

#include <fmt/format.h>

namespace imprint::guestfs {

namespace {

/// A process by a descriptor, which cannot come to mean another one; -1 when it is gone.
class ProcessHandle {
 public:
  explicit ProcessHandle(pid_t process)
      : fd_(static_cast<int>(::syscall(SYS_pidfd_open, process, 0))) {}

  ProcessHandle(const ProcessHandle&) = delete;
  ProcessHandle& operator=(const ProcessHandle&) = delete;

  ~ProcessHandle() {
    if (fd_ >= 0) ::close(fd_);
  }

  void kill() const {
    if (fd_ >= 0) ::syscall(SYS_pidfd_send_signal, fd_, SIGKILL, nullptr, 0);
  }

 private:
  int fd_;
};

[[nodiscard]] pid_t parent_of(pid_t process) {
  std::ifstream status(fmt::format("/proc/{}/status", process));
  std::string word;
  while (status >> word) {
    pid_t parent = 0;
    if (word == "PPid:" && status >> parent) return parent;
  }
  return 0;
}

void kill_tree(pid_t process, pid_t expected_parent) {
  const ProcessHandle handle(process);
  if (parent_of(process) != expected_parent) return;
  std::error_code ignored;
  std::vector<pid_t> below;
  for (const auto& thread :
       std::filesystem::directory_iterator(fmt::format("/proc/{}/task", process), ignored)) {
    const pid_t id = static_cast<pid_t>(std::strtol(thread.path().filename().c_str(), nullptr, 10));
    for (const pid_t child : children_of_thread(process, id))
      below.push_back(child);
  }
  for (const pid_t child : below)
    kill_tree(child, process);
  handle.kill();
}

}  // namespace

std::vector<pid_t> children_of_thread(pid_t process, pid_t thread) {
  std::ifstream list(fmt::format("/proc/{}/task/{}/children", process, thread));
  std::vector<pid_t> children;
  for (pid_t child = 0; list >> child;)
    children.push_back(child);
  return children;
}

std::string process_name(pid_t process) {
  std::ifstream file(fmt::format("/proc/{}/comm", process));
  std::string name;
  std::getline(file, name);
  return name;
}

void kill_child_tree(pid_t child) {
  kill_tree(child, ::getpid());
}

}  // namespace imprint::guestfs
