#pragma once

#include <ostream>
#include <string_view>

#include "imprint/base/result.hpp"
#include "imprint/cli/cli.hpp"

namespace imprint::cli {

/// Where a command talks: data to `out`, messages to `err`. Messages are one line each, `imprint:
/// ...`.
class Console {
 public:
  Console(std::ostream& out, std::ostream& err);

  [[nodiscard]] std::ostream& out() noexcept { return out_; }

  [[nodiscard]] std::ostream& err() noexcept { return err_; }

  /// True when messages go to a terminal that can redraw a line: progress is shown there and
  /// nowhere else.
  [[nodiscard]] bool live() const noexcept { return live_; }

  void note(std::string_view message);
  void warn(std::string_view message);
  /// Prints the error and returns the exit status that its code stands for.
  Exit fail(const Error& error);

 private:
  std::ostream& out_;
  std::ostream& err_;
  bool live_;
  bool colour_;
};

/// The exit status for a failure: environment for what may pass later, bad input otherwise.
[[nodiscard]] Exit exit_for(Code code) noexcept;

}  // namespace imprint::cli
