#pragma once

#include <cerrno>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tl/expected.hpp>

namespace imprint {

/// What kind of failure it is: decides the exit status and lets callers tell failures apart.
/// Message text is for people and is never compared.
enum class Code {
  invalid_input,  ///< bad manifest, bad argument, bad image or key file: do not retry
  not_found,      ///< a file or object the input names does not exist
  exists,         ///< refusing to overwrite
  no_space,       ///< no room on the host file system
  image_full,     ///< no free blocks or inodes inside the image
  corrupt,        ///< data that breaks its own format
  unsupported,    ///< valid, but nothing this version can handle
  crypto,         ///< a key, certificate or signature operation failed
  io,             ///< the operating system refused: errno is in the text
  database,       ///< SQLite refused
  busy,           ///< somebody else is at work there
  cancelled,      ///< asked to stop
  check_failed,   ///< what was written is not what should be there
  internal,       ///< our bug
};

std::string_view name(Code code) noexcept;

/// A failure as a value. `what` is the innermost reason, `trail` what was being done, innermost
/// first.
struct Error {
  Code code = Code::internal;
  std::string what;
  std::vector<std::string> trail;

  Error(Code error_code, std::string reason) : code(error_code), what(std::move(reason)) {}

  /// Adds what the caller was doing, going up.
  [[nodiscard]] Error context(std::string doing) &&;

  /// One line, outermost first: `stamping device 'u-42': writing '/etc/id': no space`.
  /// Control characters are shown as escapes, so that the line stays one line.
  [[nodiscard]] std::string message() const;
};

/// Error from errno (or another system error number), captured at the call: `what: strerror`.
[[nodiscard]] Error system_error(std::string what, int error_number = errno);

using Unexpected = tl::unexpected<Error>;

[[nodiscard]] inline Unexpected fail(Code code, std::string what) {
  return Unexpected(Error(code, std::move(what)));
}

[[nodiscard]] inline Unexpected fail(Error error) {
  return Unexpected(std::move(error));
}

/// Value or Error. Own subclass because tl::expected 1.0 is not [[nodiscard]].
template <class T = void>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using Base = tl::expected<T, Error>;
  using Base::Base;

  Result(Base base) : Base(std::move(base)) {}

  /// The same result, with `doing` added to the trail of a failure.
  [[nodiscard]] Result context(std::string doing) && {
    if (!this->has_value()) return fail(std::move(this->error()).context(std::move(doing)));
    return std::move(*this);
  }
};

}  // namespace imprint

/// Evaluates to the value of `expr` or returns its error from the enclosing function:
/// `auto x = IMPRINT_TRY(f());` or, for Result<>, `IMPRINT_TRY(f());`. One per statement, and not
/// inside a braced initialiser after a member that owns memory: g++ 12 leaks that member when the
/// macro returns.
#define IMPRINT_TRY(expr)                                            \
  __extension__({                                                    \
    auto imprint_try_result = (expr);                                \
    if (!imprint_try_result) {                                       \
      return ::imprint::fail(std::move(imprint_try_result).error()); \
    }                                                                \
    ::imprint::detail::take(std::move(imprint_try_result));          \
  })

namespace imprint::detail {

template <class T>
T take(Result<T>&& result) {
  return std::move(*result);
}

inline void take(Result<void>&& /*result*/) {}

}  // namespace imprint::detail
