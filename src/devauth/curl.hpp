#pragma once

#include <curl/curl.h>
#include <memory>

namespace imprint::devauth {

template <auto Free>
struct Freer {
  void operator()(auto* pointer) const noexcept { Free(pointer); }
};

using EasyPtr = std::unique_ptr<CURL, Freer<curl_easy_cleanup>>;
using MultiPtr = std::unique_ptr<CURLM, Freer<curl_multi_cleanup>>;
using HeadersPtr = std::unique_ptr<curl_slist, Freer<curl_slist_free_all>>;

/// Once in a process, before the first handle. False when libcurl cannot start.
[[nodiscard]] bool start_curl();

}  // namespace imprint::devauth
