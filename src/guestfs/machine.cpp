#include "machine.hpp"

#include <unistd.h>

#include <fmt/format.h>

#include "imprint/base/text.hpp"

namespace imprint::guestfs {

namespace {

/// A warm cache holds the appliance, 400 MB with all of its tools.
constexpr std::uint64_t kApplianceBytes = std::uint64_t{512} << 20;

[[nodiscard]] bool in_path(std::string_view program) {
  const char* const path = std::getenv("PATH");
  std::string_view rest = path == nullptr ? "/usr/bin:/bin" : path;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    const fs::path file = fs::path(rest.substr(0, end)) / program;
    if (::access(file.c_str(), X_OK) == 0) return true;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return false;
}

[[nodiscard]] fs::path cache_directory() {
  for (const char* variable : {"LIBGUESTFS_CACHEDIR", "TMPDIR"}) {
    const char* const value = std::getenv(variable);
    if (value != nullptr && *value != '\0') return value;
  }
  return "/var/tmp";
}

}  // namespace

Result<> check_machine(const Handle& handle) {
  const CString emulator(handle.api().get_hv(handle.get()));
  if (!emulator) return fail(handle.error());
  const std::string_view program = emulator.get();
  const bool there = program.find('/') == std::string_view::npos
                         ? in_path(program)
                         : ::access(emulator.get(), X_OK) == 0;
  if (there) return {};
  return fail(Code::io,
              fmt::format("there is no emulator {}: install it with 'apt-get install "
                          "qemu-system-x86' (qemu-system-arm on an ARM machine), or name another "
                          "one in LIBGUESTFS_HV",
                          quoted(std::string(program))));
}

Result<> check_kernel(const MachineFolders& folders) {
  std::error_code error;
  std::optional<fs::path> unreadable;
  for (const auto& entry : fs::directory_iterator(folders.kernels, error)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with("vmlinuz-") && !name.starts_with("vmlinux-")) continue;
    const fs::path modules = folders.modules / name.substr(name.find('-') + 1);
    if (!fs::is_directory(modules, error)) continue;
    if (::access(entry.path().c_str(), R_OK) == 0) return {};
    unreadable = entry.path();
  }
  if (unreadable) {
    return fail(Code::io, fmt::format("the kernel {} cannot be read by this user, and the "
                                      "appliance is made of it: run 'sudo chmod 0644 {}'",
                                      quoted(unreadable->string()), unreadable->string()));
  }
  return fail(Code::io, fmt::format("{} has no kernel with modules to make the appliance of: "
                                    "install one with 'apt-get install linux-image-amd64'",
                                    quoted(folders.kernels.string())));
}

Error explain_failure(const Handle& handle, const Error& launch_error,
                      const MachineFolders& folders) {
  if (Result<> machine = check_machine(handle); !machine) return machine.error();
  // With a ready-made appliance (LIBGUESTFS_PATH) none of the following is needed.
  if (std::getenv("LIBGUESTFS_PATH") == nullptr) {
    if (!in_path("supermin")) {
      return {Code::io,
              "the program 'supermin', which makes the appliance, is not there: "
              "install it with 'apt-get install supermin'"};
    }
    if (std::getenv("SUPERMIN_KERNEL") == nullptr) {
      if (Result<> kernel = check_kernel(folders); !kernel) return kernel.error();
    }
    const fs::path cache = cache_directory();
    const auto room = free_space_bytes(cache);
    if (room && *room < kApplianceBytes) {
      return {Code::no_space,
              fmt::format("{} has {} MiB left, and the appliance needs {}: make room, or name "
                          "another directory in LIBGUESTFS_CACHEDIR",
                          quoted(cache.string()), *room >> 20, kApplianceBytes >> 20)};
    }
  }
  return {Code::io,
          fmt::format("{} (see 'imprint doctor --engine guestfs'; 'libguestfs-test-tool' shows "
                      "the machine's own messages)",
                      launch_error.what)};
}

}  // namespace imprint::guestfs
