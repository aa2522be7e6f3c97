#include "library.hpp"

#include <dlfcn.h>
#include <malloc.h>

#include <fmt/format.h>

#include "imprint/base/text.hpp"

namespace imprint::guestfs {

namespace {

constexpr const char* kLibrary = "libguestfs.so.0";

/// libguestfs packs every message, with file contents and passphrases in it, into a buffer of 4 MiB
/// that it frees unwiped. Above this size malloc takes memory from the kernel and gives it back at
/// once; left alone, glibc would raise its threshold after the first such buffer and keep them all.
constexpr int kReturnedToKernelBytes = 1 << 20;

[[nodiscard]] Error not_installed(const char* reason) {
  return {Code::io,
          fmt::format("libguestfs cannot be loaded ({}): install it with 'apt-get install "
                      "libguestfs0 libguestfs-xfs'",
                      printable(reason == nullptr ? "no reason given" : reason))};
}

}  // namespace

Result<Library> Library::load_from(const char* file) {
  void* const handle = ::dlopen(file, RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return fail(not_installed(::dlerror()));
  Library library;
  const char* missing = nullptr;
#define IMPRINT_GUESTFS_FIND(name, ...)                                                       \
  library.name = reinterpret_cast<decltype(library.name)>(::dlsym(handle, "guestfs_" #name)); \
  if (library.name == nullptr) missing = "guestfs_" #name;
  IMPRINT_GUESTFS_CALLS(IMPRINT_GUESTFS_FIND)
#undef IMPRINT_GUESTFS_FIND
  if (missing != nullptr) {
    ::dlclose(handle);
    return fail(Code::io, fmt::format("'{}' has no function '{}': it is too old; install "
                                      "libguestfs 1.44 or newer",
                                      file, missing));
  }
  return library;
}

Result<const Library*> Library::load() {
  static const Result<Library> library = [] {
    auto loaded = load_from(kLibrary);
    if (loaded) (void)::mallopt(M_MMAP_THRESHOLD, kReturnedToKernelBytes);
    return loaded;
  }();
  if (!library) return fail(Error(library.error()));
  return &*library;
}

}  // namespace imprint::guestfs
