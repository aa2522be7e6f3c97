#include "openssl.hpp"

#include <string_view>

#include <openssl/err.h>

namespace imprint::crypto {

Error openssl_error(Code code, std::string what) {
  std::string reasons;
  const char* data = nullptr;
  int flags = 0;
  while (const unsigned long code_in_queue =
             ERR_get_error_all(nullptr, nullptr, nullptr, &data, &flags)) {
    const char* reason = ERR_reason_error_string(code_in_queue);
    std::string text = reason != nullptr ? reason : "unknown reason";
    if ((flags & ERR_TXT_STRING) != 0 && data != nullptr && *data != '\0') {
      text.append(" (").append(data).append(")");
    }
    // Layers of the library repeat the same reason; one mention is enough.
    if (reasons.find(text) != std::string::npos) continue;
    if (!reasons.empty()) reasons += "; ";
    reasons += text;
  }
  if (reasons.empty()) reasons = "OpenSSL gave no reason";
  return Error(code, std::move(what) + ": " + reasons);
}

CleanErrorQueue::CleanErrorQueue() noexcept {
  ERR_clear_error();
}

CleanErrorQueue::~CleanErrorQueue() {
  ERR_clear_error();
}

BioPtr memory_source(ByteView bytes) {
  // A null pointer, which an empty view may have, is refused.
  return BioPtr(BIO_new_mem_buf(bytes.empty() ? "" : static_cast<const void*>(bytes.data()),
                                static_cast<int>(bytes.size())));
}

ByteView content_of(BIO* memory) noexcept {
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory, &data);
  return size > 0 ? bytes_of({data, static_cast<std::size_t>(size)}) : ByteView{};
}

}  // namespace imprint::crypto
