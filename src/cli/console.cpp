#include "console.hpp"

#include <cstdlib>
#include <iostream>
#include <unistd.h>

namespace imprint::cli {

namespace {

/// Streams that tests pass in are no terminals; only the process's own standard error can be one.
bool is_terminal(const std::ostream& stream) {
  const char* term = std::getenv("TERM");
  const bool dumb = term == nullptr || std::string_view(term) == "dumb";
  return &stream == &std::cerr && ::isatty(STDERR_FILENO) == 1 && !dumb;
}

bool colour_wanted() {
  const char* no_colour = std::getenv("NO_COLOR");
  return no_colour == nullptr || *no_colour == '\0';
}

}  // namespace

Console::Console(std::ostream& out, std::ostream& err)
    : out_(out),
      err_(err),
      live_(is_terminal(err)),
      colour_(live_ && colour_wanted()) {}

void Console::note(std::string_view message) {
  err_ << "imprint: " << message << '\n';
}

void Console::warn(std::string_view message) {
  err_ << "imprint: " << (colour_ ? "\033[33mwarning:\033[0m " : "warning: ") << message << '\n';
}

Exit Console::fail(const Error& error) {
  err_ << "imprint: " << (colour_ ? "\033[31merror:\033[0m " : "error: ") << error.message()
       << '\n';
  return exit_for(error.code);
}

Exit exit_for(Code code) noexcept {
  switch (code) {
    case Code::no_space:
    case Code::io:
    case Code::database:
    case Code::busy:
      return Exit::environment;
    case Code::cancelled:
      return Exit::interrupted;
    case Code::check_failed:
    case Code::internal:
      return Exit::failed;
    case Code::invalid_input:
    case Code::not_found:
    case Code::exists:
    case Code::image_full:
    case Code::corrupt:
    case Code::unsupported:
    case Code::crypto:
      return Exit::bad_input;
  }
  return Exit::failed;
}

}  // namespace imprint::cli
