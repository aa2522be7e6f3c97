// Starting the appliance, and ending the attempt when it takes too long.
//
// guestfs_launch() waits without limit for a machine that may never come up: KVM that is there but
// does not run (nested in another machine), an emulator that hangs. There is no call to stop it.
// What ends it is the end of the processes it waits for, so a watchdog kills those: the children
// that this thread has started since, and no others. A machine that uses KVM comes up within
// seconds or not at all; when it does not, emulation is tried, and the process remembers it.

#include "launch.hpp"

#include <algorithm>
#include <atomic>
#include <map>
#include <sys/syscall.h>
#include <unistd.h>

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "machine.hpp"
#include "processes.hpp"
#include "watchdog.hpp"

namespace imprint::guestfs {

namespace {

using Clock = std::chrono::steady_clock;
using Acceleration = Appliance::Acceleration;

/// Set when KVM has failed to start an appliance that emulation has started.
std::atomic<bool> kvm_is_broken =
    false;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)

/// The processes that the calling thread starts from now on.
class NewChildren {
 public:
  NewChildren()
      : process_(::getpid()),
        thread_(static_cast<pid_t>(::syscall(SYS_gettid))),
        old_(children_of_thread(process_, thread_)) {}

  /// From any thread.
  [[nodiscard]] std::vector<pid_t> list() const {
    std::vector<pid_t> now = children_of_thread(process_, thread_);
    std::erase_if(now, [this](pid_t child) { return std::ranges::count(old_, child) > 0; });
    return now;
  }

 private:
  pid_t process_;
  pid_t thread_;
  std::vector<pid_t> old_;
};

/// When a launch is to be given up: at the deadline, or when an emulator has run too long without
/// the launch being over. libguestfs also runs it shortly to ask what it can do, and building the
/// appliance takes its time too; neither counts.
class Patience {
 public:
  Patience(const NewChildren& children, Clock::time_point deadline,
           std::chrono::milliseconds machine_limit)
      : children_(children),
        deadline_(deadline),
        machine_limit_(machine_limit) {}

  [[nodiscard]] bool is_over() {
    const Clock::time_point now = Clock::now();
    if (now >= deadline_) return true;
    for (const pid_t child : children_.list()) {
      if (!process_name(child).starts_with("qemu")) continue;
      const auto seen = first_seen_.emplace(child, now).first->second;
      if (now - seen >= machine_limit_) return true;
    }
    return false;
  }

 private:
  const NewChildren& children_;
  Clock::time_point deadline_;
  std::chrono::milliseconds machine_limit_;
  std::map<pid_t, Clock::time_point> first_seen_;
};

Result<> add_drives(Handle& handle, std::span<const Drive> drives) {
  const Library& api = handle.api();
  for (std::size_t i = 0; i < drives.size(); ++i) {
    const std::string label = drive_label(i);
    std::error_code ignored;
    const fs::path path = fs::absolute(drives[i].image, ignored);
    // The image is a copy that is thrown away unless all goes well, so its writes need no order and
    // no flushes; the caller syncs it once. What is freed inside becomes a hole outside.
    const abi::AddDrive how{.set = abi::kReadOnlySet | abi::kFormatSet | abi::kLabelSet |
                                   abi::kCacheModeSet |
                                   (drives[i].read_only ? 0 : abi::kDiscardSet),
                            .read_only = drives[i].read_only ? 1 : 0,
                            .format = "raw",
                            .interface = nullptr,
                            .name = nullptr,
                            .label = label.c_str(),
                            .protocol = nullptr,
                            .server = nullptr,
                            .username = nullptr,
                            .secret = nullptr,
                            .cache_mode = "unsafe",
                            .discard = "besteffort",
                            .copy_on_read = 0,
                            .block_size = 0};
    const auto* options = reinterpret_cast<const guestfs_add_drive_opts_argv*>(&how);
    if (api.add_drive_opts_argv(handle.get(), path.c_str(), options) != 0) {
      return fail(
          handle.error().context(fmt::format("giving {} to the appliance", quoted(path.string()))));
    }
  }
  return {};
}

/// How one attempt went.
struct Attempt {
  std::unique_ptr<Handle> handle;  ///< with an appliance, if `error` is empty
  std::optional<Error> error;
  bool timed_out = false;
};

Result<Attempt> attempt(const Library& library, std::span<const Drive> drives,
                        const ApplianceOptions& options, Clock::time_point deadline,
                        std::optional<Acceleration> force) {
  Attempt result;
  result.handle = IMPRINT_TRY(Handle::create(library, options.timeout));
  Handle& handle = *result.handle;
  if (std::getenv("LIBGUESTFS_BACKEND") == nullptr)
    (void)library.set_backend(handle.get(), "direct");
  if (force == Acceleration::emulation)
    (void)library.set_backend_setting(handle.get(), "force_tcg", "1");
  IMPRINT_TRY(check_machine(handle));
  IMPRINT_TRY(add_drives(handle, drives));

  const NewChildren children;
  const bool limited = force == Acceleration::kvm;
  Patience patience(children, deadline, limited ? options.kvm_timeout : options.timeout);
  Watchdog watchdog([&] { return patience.is_over(); },
                    [&] {
                      for (const pid_t child : children.list())
                        kill_child_tree(child);
                    });
  const int launched = library.launch(handle.get());
  watchdog.stop();
  result.timed_out = watchdog.acted();
  if (launched != 0) {
    result.error = handle.error();
  } else {
    handle.set_process(library.get_pid(handle.get()));
  }
  return result;
}

/// What the user's settings leave open: none when they say how.
[[nodiscard]] std::optional<Acceleration> first_choice() {
  const char* const settings = std::getenv("LIBGUESTFS_BACKEND_SETTINGS");
  if (settings != nullptr && std::string_view(settings).find("force_") != std::string_view::npos)
    return std::nullopt;
  if (kvm_is_broken || ::access("/dev/kvm", R_OK | W_OK) != 0) return Acceleration::emulation;
  return Acceleration::kvm;
}

[[nodiscard]] Error no_start(const Handle& handle, const Attempt& last,
                             const ApplianceOptions& options, bool tried_both) {
  const std::string_view tried = tried_both ? " (KVM was tried, then emulation)" : "";
  if (last.timed_out) {
    return {Code::io,
            fmt::format("the appliance did not start within {} s and was ended{}: try a "
                        "longer --engine-timeout, or see 'imprint doctor --engine guestfs'",
                        options.timeout.count() / 1000, tried)};
  }
  return explain_failure(handle, *last.error)
      .context(fmt::format("starting the appliance{}", tried));
}

[[nodiscard]] bool user_wants_emulation() {
  const char* const settings = std::getenv("LIBGUESTFS_BACKEND_SETTINGS");
  return settings != nullptr &&
         std::string_view(settings).find("force_tcg") != std::string_view::npos;
}

}  // namespace

std::string drive_label(std::size_t drive) {
  return fmt::format("imprint{}{}", static_cast<char>('a' + drive / 26),
                     static_cast<char>('a' + drive % 26));
}

Result<Launched> launch(const Library& library, std::span<const Drive> drives,
                        const ApplianceOptions& options) {
  const Clock::time_point deadline = Clock::now() + options.timeout;
  const std::optional<Acceleration> choice = first_choice();
  Attempt first = IMPRINT_TRY(attempt(library, drives, options, deadline, choice));
  Launched launched;
  if (!first.error) {
    const bool emulated = choice ? *choice == Acceleration::emulation : user_wants_emulation();
    launched.acceleration = emulated ? Acceleration::emulation : Acceleration::kvm;
    launched.handle = std::move(first.handle);
    return launched;
  }
  if (choice != Acceleration::kvm || Clock::now() >= deadline) {
    return fail(no_start(*first.handle, first, options, false));
  }
  first.handle.reset();
  Attempt second =
      IMPRINT_TRY(attempt(library, drives, options, deadline, Acceleration::emulation));
  if (second.error) return fail(no_start(*second.handle, second, options, true));
  kvm_is_broken = true;
  launched.acceleration = Acceleration::emulation;
  launched.handle = std::move(second.handle);
  return launched;
}

}  // namespace imprint::guestfs
