#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include "imprint/base/result.hpp"

namespace imprint {

/// A program with its standard input and output in our hands; its standard error is ours, unless
/// said otherwise. It is started without a shell, in a process group of its own (an interrupt at
/// the terminal is for imprint, which ends it in its turn), with default signals and no other
/// descriptor. Destroyed, it is ended and collected. One thread at a time.
class CommandProcess {
 public:
  using Deadline = std::chrono::steady_clock::time_point;

  struct Options {
    /// `NAME=value`: all that it finds; none: our own environment.
    std::optional<std::vector<std::string>> environment = std::nullopt;
    /// A descriptor of ours that it finds as descriptor 3.
    std::optional<int> descriptor_3 = std::nullopt;
    /// Its standard error comes with its output.
    bool errors_in_output = false;
    /// A session of its own: there is no terminal on which it could ask somebody.
    bool without_terminal = false;
  };

  /// The program is found by PATH when its name has no slash. The error names it; there being none
  /// is Code::not_found.
  static Result<CommandProcess> start(const std::vector<std::string>& command,
                                      const Options& options);
  static Result<CommandProcess> start(const std::vector<std::string>& command);
  CommandProcess(CommandProcess&& other) noexcept;
  CommandProcess& operator=(CommandProcess&& other) noexcept;
  CommandProcess(const CommandProcess&) = delete;
  CommandProcess& operator=(const CommandProcess&) = delete;
  ~CommandProcess();

  /// Writes all of `text`. Code::io when it does not read (any more), Code::busy when it has not
  /// taken all by the deadline.
  Result<> write(std::string_view text, Deadline deadline);

  /// No more input for it.
  void close_input();

  /// Its next line without the line end. What it wrote beyond that is kept and can be asked for
  /// with has_more(). Errors: Code::busy when the deadline passes, Code::io when its output ends
  /// (in the middle of a line is said) and Code::corrupt when the line is longer than
  /// `limit_bytes`.
  Result<std::string> read_line(std::size_t limit_bytes, Deadline deadline);

  [[nodiscard]] bool has_more() const noexcept { return !pending_.empty(); }

  /// Reads up to the end of its output: what it wrote, cut to `limit_bytes`. Code::busy when the
  /// deadline passes.
  Result<std::string> read_rest(std::size_t limit_bytes, Deadline deadline);

  /// Reads up to the end of its output, which has to be empty: Code::corrupt otherwise, Code::busy
  /// when the deadline passes.
  Result<> expect_end(Deadline deadline);

  /// Waits for its end: exit status, or 128 + signal. Code::busy when the deadline passes.
  Result<int> wait(Deadline deadline);

  /// Ends it and all that it started in its group, and collects it.
  void kill() noexcept;

 private:
  CommandProcess(pid_t pid, int input, int output) : pid_(pid), input_(input), output_(output) {}

  bool collect() noexcept;
  Result<bool> fill(Deadline deadline);

  pid_t pid_ = -1;
  int input_ = -1;   // we write
  int output_ = -1;  // we read
  int status_ = -1;
  bool collected_ = false;
  std::string pending_;
};

}  // namespace imprint
