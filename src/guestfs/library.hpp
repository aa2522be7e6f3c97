#pragma once

#include <type_traits>

#include "abi.hpp"
#include "imprint/base/result.hpp"

/// X(name, type): the functions `guestfs_<name>`.
#define IMPRINT_GUESTFS_CALLS(X)                                                                   \
  X(create_flags, guestfs_h*(unsigned, ...))                                                       \
  X(close, void(guestfs_h*))                                                                       \
  X(last_error, const char*(guestfs_h*))                                                           \
  X(last_errno, int(guestfs_h*))                                                                   \
  X(set_error_handler, void(guestfs_h*, abi::ErrorHandler, void*))                                 \
  X(set_event_callback, int(guestfs_h*, abi::EventCallback, std::uint64_t, int, void*))            \
  X(parse_environment_list, int(guestfs_h*, char* const*))                                         \
  X(set_trace, int(guestfs_h*, int))                                                               \
  X(set_verbose, int(guestfs_h*, int))                                                             \
  X(set_pgroup, int(guestfs_h*, int))                                                              \
  X(set_backend, int(guestfs_h*, const char*))                                                     \
  X(set_backend_setting, int(guestfs_h*, const char*, const char*))                                \
  X(get_backend_setting, char*(guestfs_h*, const char*))                                           \
  X(get_hv, char*(guestfs_h*))                                                                     \
  X(get_pid, int(guestfs_h*))                                                                      \
  X(version, guestfs_version*(guestfs_h*))                                                         \
  X(free_version, void(guestfs_version*))                                                          \
  X(add_drive_opts_argv, int(guestfs_h*, const char*, const guestfs_add_drive_opts_argv*))         \
  X(launch, int(guestfs_h*))                                                                       \
  X(shutdown, int(guestfs_h*))                                                                     \
  X(debug, char*(guestfs_h*, const char*, char* const*))                                           \
  X(cryptsetup_open_argv,                                                                          \
    int(guestfs_h*, const char*, const char*, const char*, const guestfs_cryptsetup_open_argv*))   \
  X(lstatns, guestfs_statns*(guestfs_h*, const char*))                                             \
  X(free_statns, void(guestfs_statns*))                                                            \
  X(statvfs, guestfs_statvfs*(guestfs_h*, const char*))                                            \
  X(free_statvfs, void(guestfs_statvfs*))                                                          \
  X(readdir, guestfs_dirent_list*(guestfs_h*, const char*))                                        \
  X(free_dirent_list, void(guestfs_dirent_list*))                                                  \
  X(readlink, char*(guestfs_h*, const char*))                                                      \
  X(pread, char*(guestfs_h*, const char*, int, std::int64_t, std::size_t*))                        \
  X(pwrite, int(guestfs_h*, const char*, const char*, std::size_t, std::int64_t))                  \
  X(touch, int(guestfs_h*, const char*))                                                           \
  X(truncate_size, int(guestfs_h*, const char*, std::int64_t))                                     \
  X(mkdir, int(guestfs_h*, const char*))                                                           \
  X(chmod, int(guestfs_h*, int, const char*))                                                      \
  X(lchown, int(guestfs_h*, int, int, const char*))                                                \
  X(utimens, int(guestfs_h*, const char*, std::int64_t, std::int64_t, std::int64_t, std::int64_t)) \
  X(lgetxattrs, guestfs_xattr_list*(guestfs_h*, const char*))                                      \
  X(free_xattr_list, void(guestfs_xattr_list*))                                                    \
  X(lsetxattr, int(guestfs_h*, const char*, const char*, int, const char*))                        \
  X(lremovexattr, int(guestfs_h*, const char*, const char*))                                       \
  X(ln_s, int(guestfs_h*, const char*, const char*))                                               \
  X(rm, int(guestfs_h*, const char*))                                                              \
  X(rmdir, int(guestfs_h*, const char*))

namespace imprint::guestfs {

/// The functions of libguestfs, found at run time.
struct Library {
#define IMPRINT_GUESTFS_MEMBER(name, ...) std::add_pointer_t<__VA_ARGS__> name = nullptr;
  IMPRINT_GUESTFS_CALLS(IMPRINT_GUESTFS_MEMBER)
#undef IMPRINT_GUESTFS_MEMBER

  /// Loads the shared library, once; it stays until the process ends. Code::io, with the package to
  /// install, when it is not there. Thread-safe.
  static Result<const Library*> load();
  /// The same from a file of this name, for tests.
  static Result<Library> load_from(const char* file);
};

}  // namespace imprint::guestfs
