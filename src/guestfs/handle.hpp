#pragma once

#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "imprint/base/result.hpp"
#include "library.hpp"

namespace imprint::guestfs {

struct CStringFree {
  void operator()(char* text) const noexcept { std::free(text); }
};

/// What libguestfs returns as malloc'ed memory.
using CString = std::unique_ptr<char, CStringFree>;

/// A handle of libguestfs that prints nothing whatever the environment says (a trace would show
/// keys), and whose calls after the launch end after a timeout.
class Handle {
 public:
  /// Takes the user's LIBGUESTFS_* settings, except those for messages and traces.
  static Result<std::unique_ptr<Handle>> create(const Library& library,
                                                std::chrono::milliseconds timeout);
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  /// Ends the appliance if there is one, under the timeout.
  ~Handle();

  [[nodiscard]] guestfs_h* get() const noexcept { return handle_; }

  [[nodiscard]] const Library& api() const noexcept { return library_; }

  /// What the last call that failed has to say, as one line, with the kind of failure taken from
  /// the appliance's errno.
  [[nodiscard]] Error error() const;

  /// Runs `call(api, handle)` under the timeout: when that passes, the appliance is killed, the
  /// call fails and error() says so.
  template <class Call>
  auto run(Call call) {
    Guard guard(*this);
    return call(library_, handle_);
  }

  /// Runs a script with /bin/sh in the appliance and returns its standard output. Names from an
  /// image go in through shell_word().
  Result<std::string> shell(const std::string& script);

  /// After the launch: the process that calls may kill.
  void set_process(int process) noexcept { process_ = process; }

 private:
  class Guard {
   public:
    explicit Guard(Handle& handle);
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    ~Guard();

   private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
  };

  Handle(const Library& library, guestfs_h* handle, std::chrono::milliseconds timeout)
      : library_(library),
        handle_(handle),
        timeout_(timeout) {}

  const Library& library_;
  guestfs_h* handle_;
  std::chrono::milliseconds timeout_;
  int process_ = 0;
  bool timed_out_ = false;
};

/// One word of a shell script, whatever its bytes.
[[nodiscard]] std::string shell_word(std::string_view text);

}  // namespace imprint::guestfs
