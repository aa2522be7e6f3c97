#include "curl.hpp"

namespace imprint::devauth {

bool start_curl() {
  // Never undone: libcurl says that its end is the process's.
  static const bool started = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return started;
}

}  // namespace imprint::devauth
