// A program that we start (a signer, a tool for a file system) must not be able to hang a batch, to
// end it with SIGPIPE, to read what it was not given, or to outlive it. So: non-blocking pipes and
// poll with a deadline; SIGPIPE blocked for the writing thread and taken back; posix_spawn (no fork
// of a process with threads and secrets) with every descriptor above 2 closed; a process group that
// can be ended as a whole. Pipes and no socket pair, because /dev/stdin of a socket cannot be
// opened, which scripts like to do.

#include "imprint/base/process.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

#include "imprint/base/text.hpp"

namespace imprint {

namespace {

using SteadyClock = std::chrono::steady_clock;
using Deadline = CommandProcess::Deadline;

/// A co-process that is told to end by the end of its input gets this long to do so.
constexpr auto kGraceTime = std::chrono::milliseconds(500);

void close_quietly(int& descriptor) noexcept {
  if (descriptor >= 0) ::close(descriptor);
  descriptor = -1;
}

struct Pipe {
  int read_end = -1;
  int write_end = -1;

  Pipe() = default;
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  ~Pipe() {
    close_quietly(read_end);
    close_quietly(write_end);
  }

  [[nodiscard]] bool open() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return false;
    read_end = ends[0];
    write_end = ends[1];
    return true;
  }
};

/// Ours only: the program finds ordinary, blocking pipes.
bool set_non_blocking(int descriptor) {
  const int flags = ::fcntl(descriptor, F_GETFL);
  return flags >= 0 && ::fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) == 0;
}

/// Keeps SIGPIPE from this thread while it lives, and takes back one that a write has raised.
class NoPipeSignal {
 public:
  NoPipeSignal() {
    sigset_t pending;
    ::sigpending(&pending);
    was_pending_ = ::sigismember(&pending, SIGPIPE) == 1;
    ::sigemptyset(&pipe_);
    ::sigaddset(&pipe_, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }

  NoPipeSignal(const NoPipeSignal&) = delete;
  NoPipeSignal& operator=(const NoPipeSignal&) = delete;

  ~NoPipeSignal() {
    constexpr timespec kNow{};
    const int error_number = errno;
    while (!was_pending_ && ::sigtimedwait(&pipe_, nullptr, &kNow) < 0 && errno == EINTR) {
    }
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    errno = error_number;
  }

 private:
  sigset_t pipe_{};
  sigset_t before_{};
  bool was_pending_ = false;
};

/// posix_spawn's two lists, released together.
struct SpawnPlan {
  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};

  SpawnPlan(int input, int output, const CommandProcess::Options& options) {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    if (options.errors_in_output) {
      ::posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
    }
    int first_closed = STDERR_FILENO + 1;
    if (options.descriptor_3) {
      // The last of the four: a pipe that is our descriptor 3 has been given on by now.
      ::posix_spawn_file_actions_adddup2(&actions, *options.descriptor_3, first_closed);
      ++first_closed;
    }
    ::posix_spawn_file_actions_addclosefrom_np(&actions, first_closed);
    sigset_t all;
    sigset_t none;
    ::sigfillset(&all);
    ::sigemptyset(&none);
    ::posix_spawnattr_init(&attributes);
    // The leader of a session is the leader of a process group too.
    const int group = options.without_terminal ? POSIX_SPAWN_SETSID : POSIX_SPAWN_SETPGROUP;
    ::posix_spawnattr_setflags(
        &attributes, static_cast<short>(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | group));
    ::posix_spawnattr_setsigdefault(&attributes, &all);
    ::posix_spawnattr_setsigmask(&attributes, &none);
  }

  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  ~SpawnPlan() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
};

/// Whether the descriptor is ready before the deadline.
Result<bool> wait_for(int descriptor, short events, Deadline deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - SteadyClock::now());
    pollfd waiting{.fd = descriptor, .events = events, .revents = 0};
    const int ready =
        ::poll(&waiting, 1, static_cast<int>(std::max(left.count(), decltype(left.count()){0})));
    if (ready > 0) return true;
    if (ready == 0) return false;
    if (errno != EINTR) return fail(system_error("waiting for it"));
  }
}

/// As exec wants them: ended by a null.
std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (const std::string& text : texts)
    pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

Unexpected too_late() {
  return fail(Code::busy, "it did not answer in time");
}

}  // namespace

Result<CommandProcess> CommandProcess::start(const std::vector<std::string>& command) {
  return start(command, Options{});
}

Result<CommandProcess> CommandProcess::start(const std::vector<std::string>& command,
                                             const Options& options) {
  const std::string doing = "starting " + quoted(command.front());
  Pipe to_it;
  Pipe from_it;
  if (!to_it.open() || !from_it.open() || !set_non_blocking(to_it.write_end) ||
      !set_non_blocking(from_it.read_end)) {
    return fail(system_error(doing));
  }
  const SpawnPlan plan(to_it.read_end, from_it.write_end, options);
  std::vector<char*> arguments = pointers_to(command);
  std::vector<char*> environment;
  if (options.environment) environment = pointers_to(*options.environment);
  pid_t pid = -1;
  const int error =
      ::posix_spawnp(&pid, arguments.front(), &plan.actions, &plan.attributes, arguments.data(),
                     options.environment ? environment.data() : environ);
  if (error != 0) return fail(system_error(doing, error));
  return CommandProcess(pid, std::exchange(to_it.write_end, -1),
                        std::exchange(from_it.read_end, -1));
}

CommandProcess::CommandProcess(CommandProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      input_(std::exchange(other.input_, -1)),
      output_(std::exchange(other.output_, -1)),
      status_(other.status_),
      collected_(other.collected_),
      pending_(std::move(other.pending_)) {}

CommandProcess& CommandProcess::operator=(CommandProcess&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(input_, other.input_);
  std::swap(output_, other.output_);
  std::swap(status_, other.status_);
  std::swap(collected_, other.collected_);
  std::swap(pending_, other.pending_);
  return *this;
}

CommandProcess::~CommandProcess() {
  if (pid_ < 0) return;
  close_input();
  // Its output stays open so long: a program that still writes should not die of it.
  const auto ended = wait(SteadyClock::now() + kGraceTime);
  if (!ended) kill();
  close_quietly(output_);
}

void CommandProcess::close_input() {
  close_quietly(input_);
}

Result<> CommandProcess::write(std::string_view text, Deadline deadline) {
  const NoPipeSignal guard;
  while (!text.empty()) {
    const ssize_t written = ::write(input_, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno == EPIPE) return fail(Code::io, "it does not read its standard input");
    if (errno != EAGAIN) return fail(system_error("writing to it"));
    if (!IMPRINT_TRY(wait_for(input_, POLLOUT, deadline))) return too_late();
  }
  return {};
}

/// One read into `pending_`; false at the end of its output.
Result<bool> CommandProcess::fill(Deadline deadline) {
  std::array<char, 4096> buffer{};
  for (;;) {
    if (!IMPRINT_TRY(wait_for(output_, POLLIN, deadline))) return too_late();
    const ssize_t got = ::read(output_, buffer.data(), buffer.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) return fail(system_error("reading from it"));
    pending_.append(buffer.data(), static_cast<std::size_t>(got));
    return got > 0;
  }
}

Result<std::string> CommandProcess::read_line(std::size_t limit_bytes, Deadline deadline) {
  for (;;) {
    const std::size_t end = pending_.find('\n');
    if (std::min(end, pending_.size()) > limit_bytes) {
      return fail(Code::corrupt, fmt::format("it wrote a line of more than {} bytes", limit_bytes));
    }
    if (end != std::string::npos) {
      std::string line = pending_.substr(0, end);
      pending_.erase(0, end + 1);
      return line;
    }
    if (IMPRINT_TRY(fill(deadline))) continue;
    return fail(Code::io, pending_.empty() ? "it ended without an answer"
                                           : "it ended in the middle of its answer");
  }
}

Result<std::string> CommandProcess::read_rest(std::size_t limit_bytes, Deadline deadline) {
  std::string text;
  do {
    text.append(pending_, 0, limit_bytes - std::min(limit_bytes, text.size()));
    pending_.clear();
  } while (IMPRINT_TRY(fill(deadline)));
  return text;
}

Result<> CommandProcess::expect_end(Deadline deadline) {
  while (pending_.empty() && IMPRINT_TRY(fill(deadline))) {
  }
  if (pending_.empty()) return {};
  return fail(Code::corrupt, "it wrote more than one line");
}

bool CommandProcess::collect() noexcept {
  if (collected_) return true;
  int status = 0;
  pid_t done = 0;
  do
    done = ::waitpid(pid_, &status, WNOHANG);
  while (done < 0 && errno == EINTR);
  if (done == 0) return false;
  // Without a child to collect (somebody ignores SIGCHLD) there is no status to have either.
  status_ =
      done < 0 || WIFEXITED(status) ? (done < 0 ? 0 : WEXITSTATUS(status)) : 128 + WTERMSIG(status);
  collected_ = true;
  return true;
}

Result<int> CommandProcess::wait(Deadline deadline) {
  // There is no waitpid with a deadline. A program that has closed its output is about to end, so
  // the first looks come quickly.
  auto pause = std::chrono::microseconds(50);
  while (!collect()) {
    if (SteadyClock::now() >= deadline) return fail(Code::busy, "it did not end in time");
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, std::chrono::microseconds(5000));
  }
  return status_;
}

void CommandProcess::kill() noexcept {
  if (pid_ < 0) return;
  // Before it is collected, the group's number cannot have become another's.
  if (!collected_) {
    ::kill(-pid_, SIGKILL);
    while (!collect())
      std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
  close_quietly(input_);
  close_quietly(output_);
}

}  // namespace imprint
