#pragma once

#include <curl/curl.h>
#include <memory>

#include "imprint/base/result.hpp"

/// What is called of libcurl.
#define IMPRINT_CURL_CALLS(CALL) \
  CALL(global_init)              \
  CALL(easy_init)                \
  CALL(easy_cleanup)             \
  CALL(easy_setopt)              \
  CALL(easy_getinfo)             \
  CALL(easy_header)              \
  CALL(easy_strerror)            \
  CALL(free)                     \
  CALL(multi_init)               \
  CALL(multi_cleanup)            \
  CALL(multi_setopt)             \
  CALL(multi_add_handle)         \
  CALL(multi_remove_handle)      \
  CALL(multi_perform)            \
  CALL(multi_poll)               \
  CALL(multi_info_read)          \
  CALL(slist_append)             \
  CALL(slist_free_all)           \
  CALL(url)                      \
  CALL(url_cleanup)              \
  CALL(url_get)                  \
  CALL(url_set)                  \
  CALL(url_strerror)

namespace imprint::devauth {

/// libcurl's functions, under their names without `curl_`. The library is loaded when it is first
/// needed: it brings thirty others with it, for which every other command would start slower.
struct Curl {
#define IMPRINT_CURL_MEMBER(name) decltype(&::curl_##name) name = nullptr;
  IMPRINT_CURL_CALLS(IMPRINT_CURL_MEMBER)
#undef IMPRINT_CURL_MEMBER

  /// Code::io, with what to install, when it cannot be loaded; Code::internal when it does not
  /// start.
  static Result<Curl> load_from(const char* file);
};

/// Loads it once in a process, and starts it; the same error each time.
[[nodiscard]] Result<> load_libcurl();

/// After load_libcurl.
[[nodiscard]] const Curl& libcurl() noexcept;

template <auto Curl::*Free>
struct Freer {
  void operator()(auto* pointer) const noexcept { (libcurl().*Free)(pointer); }
};

using EasyPtr = std::unique_ptr<CURL, Freer<&Curl::easy_cleanup>>;
using MultiPtr = std::unique_ptr<CURLM, Freer<&Curl::multi_cleanup>>;
using HeadersPtr = std::unique_ptr<curl_slist, Freer<&Curl::slist_free_all>>;
using UrlPtr = std::unique_ptr<CURLU, Freer<&Curl::url_cleanup>>;

}  // namespace imprint::devauth
