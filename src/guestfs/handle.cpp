#include "handle.hpp"

#include <array>
#include <cerrno>
#include <unistd.h>
#include <vector>

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "processes.hpp"
#include "watchdog.hpp"

namespace imprint::guestfs {

namespace {

void swallow(guestfs_h* /*handle*/, void* /*opaque*/, std::uint64_t /*event*/, int /*number*/,
             int /*flags*/, const char* /*text*/, std::size_t /*size*/,
             const std::uint64_t* /*numbers*/, std::size_t /*count*/) {}

/// LIBGUESTFS_* and the directories for temporary files, as the user has set them. Not what makes
/// the library talk: traces repeat every argument, and so keys.
std::vector<char*> environment_for_library() {
  constexpr std::array<std::string_view, 2> kTalk{"LIBGUESTFS_DEBUG=", "LIBGUESTFS_TRACE="};
  std::vector<char*> kept;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    if (text.starts_with(kTalk[0]) || text.starts_with(kTalk[1])) continue;
    if (text.starts_with("LIBGUESTFS_") || text.starts_with("TMPDIR=")) kept.push_back(*variable);
  }
  kept.push_back(nullptr);
  return kept;
}

[[nodiscard]] Code code_for(int error_number) noexcept {
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
      return Code::not_found;
    case EEXIST:
    case ENOTEMPTY:
      return Code::exists;
    case ENOSPC:
    case EDQUOT:
      return Code::image_full;
    case EUCLEAN:
    case EBADMSG:
      return Code::corrupt;
    case EOPNOTSUPP:
      return Code::unsupported;
    case EINVAL:
    case ENAMETOOLONG:
      return Code::invalid_input;
    default:
      return Code::io;
  }
}

/// Lines become clauses: messages are one line here.
[[nodiscard]] std::string one_line(std::string_view text) {
  std::string line;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    while (part.starts_with(' ') || part.starts_with('\t'))
      part.remove_prefix(1);
    if (part.empty()) continue;
    if (!line.empty()) line += "; ";
    line += part;
  }
  return line;
}

}  // namespace

struct Handle::Guard::Impl {
  Handle& handle;
  std::chrono::steady_clock::time_point deadline;
  Watchdog watchdog;

  explicit Impl(Handle& of)
      : handle(of),
        deadline(std::chrono::steady_clock::now() + of.timeout_),
        watchdog([this] { return std::chrono::steady_clock::now() >= deadline; },
                 [this] { kill_child_tree(handle.process_); }) {}
};

Handle::Guard::Guard(Handle& handle) {
  if (handle.process_ > 0) impl_ = std::make_unique<Impl>(handle);
}

Handle::Guard::~Guard() {
  if (!impl_) return;
  impl_->watchdog.stop();
  if (impl_->watchdog.acted()) impl_->handle.timed_out_ = true;
}

Result<std::unique_ptr<Handle>> Handle::create(const Library& library,
                                               std::chrono::milliseconds timeout) {
  guestfs_h* const raw = library.create_flags(abi::kCreateNoEnvironment);
  if (raw == nullptr) return fail(Code::io, "libguestfs gives no handle: out of memory");
  std::unique_ptr<Handle> handle(new Handle(library, raw, timeout));
  library.set_error_handler(raw, nullptr, nullptr);
  if (library.set_event_callback(raw, swallow, abi::kEventsToSilence, 0, nullptr) < 0 ||
      library.set_verbose(raw, 0) != 0 || library.set_trace(raw, 0) != 0) {
    return fail(handle->error().context("silencing libguestfs"));
  }
  std::vector<char*> environment = environment_for_library();
  if (library.parse_environment_list(raw, environment.data()) != 0) {
    return fail(handle->error().context("the environment's LIBGUESTFS_ settings"));
  }
  // A Ctrl-C on the terminal is for imprint, which finishes what it is at.
  (void)library.set_pgroup(raw, 1);
  return handle;
}

Handle::~Handle() {
  const Guard guard(*this);
  library_.close(handle_);
}

Error Handle::error() const {
  if (timed_out_) {
    return {Code::io, fmt::format("the appliance did not answer within {} s and was ended: try a "
                                  "longer --engine-timeout, or see 'imprint doctor --engine "
                                  "guestfs'",
                                  timeout_.count() / 1000)};
  }
  const char* const text = library_.last_error(handle_);
  return {code_for(library_.last_errno(handle_)),
          text == nullptr ? "libguestfs gave no reason" : one_line(text)};
}

Result<std::string> Handle::shell(const std::string& script) {
  // The call returns both outputs as one. (No `if` around the script: it would switch `set -e`
  // off.)
  std::string text = fmt::format(
      R"((
{}
) 2>/run/imprint.stderr
status=$?
[ $status = 0 ] || cat /run/imprint.stderr
exit $status)",
      script);
  std::array<char*, 2> arguments{text.data(), nullptr};
  const CString out(
      run([&](const Library& api, guestfs_h* g) { return api.debug(g, "sh", arguments.data()); }));
  if (!out) return fail(error());
  std::string answer(out.get());
  while (answer.ends_with('\n'))
    answer.pop_back();
  return answer;
}

std::string shell_word(std::string_view text) {
  std::string word = "'";
  for (const char c : text) {
    if (c == '\'') {
      word += R"('\'')";
    } else {
      word += c;
    }
  }
  return word + "'";
}

}  // namespace imprint::guestfs
