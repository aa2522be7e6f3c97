#include "curl.hpp"

#include <dlfcn.h>

#include <fmt/format.h>

#include "imprint/base/text.hpp"

namespace imprint::devauth {

namespace {

constexpr const char* kLibrary = "libcurl.so.4";

const Result<Curl>& loaded() {
  static const Result<Curl> library = Curl::load_from(kLibrary);
  return library;
}

}  // namespace

Result<Curl> Curl::load_from(const char* file) {
  void* const handle = ::dlopen(file, RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* const reason = ::dlerror();
    return fail(Code::io, fmt::format("libcurl cannot be loaded ({}): install it with 'apt-get "
                                      "install libcurl4'",
                                      printable(reason == nullptr ? "no reason given" : reason)));
  }
  Curl library;
  const char* missing = nullptr;
#define IMPRINT_CURL_FIND(name)                                                            \
  library.name = reinterpret_cast<decltype(library.name)>(::dlsym(handle, "curl_" #name)); \
  if (library.name == nullptr) missing = "curl_" #name;
  IMPRINT_CURL_CALLS(IMPRINT_CURL_FIND)
#undef IMPRINT_CURL_FIND
  if (missing != nullptr) {
    ::dlclose(handle);
    return fail(Code::io, fmt::format("'{}' has no function '{}': it is too old; install libcurl "
                                      "7.88 or newer",
                                      file, missing));
  }
  // Never undone: libcurl says that its end is the process's.
  if (library.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    return fail(Code::internal, "libcurl does not start");
  return library;
}

Result<> load_libcurl() {
  if (!loaded()) return fail(Error(loaded().error()));
  return {};
}

const Curl& libcurl() noexcept {
  return *loaded();
}

}  // namespace imprint::devauth
