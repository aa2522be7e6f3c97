// What keeps the token where it belongs: the certificate of the server is always verified;
// redirects are reported, not followed; no protocol but the one that was given; plain HTTP, which
// is to this machine only, goes through no proxy; libcurl's verbose output, which shows headers,
// stays off, and so does ~/.netrc.

#include "transfer.hpp"

#include <fmt/format.h>

#include "imprint/base/version.hpp"

namespace imprint::devauth {

namespace {

/// A device with a hundred RSA keys has 100 KB.
constexpr std::size_t kLargestAnswer = 1U << 20;

constexpr long kVerifyHost = 2;  // the name in the certificate has to be the URL's

bool is_about_trust(CURLcode code) {
  return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_ISSUER_ERROR ||
         code == CURLE_SSL_CACERT_BADFILE;
}

}  // namespace

Result<Transfer> Transfer::make(const Settings& settings) {
  IMPRINT_TRY(load_libcurl());
  EasyPtr easy(libcurl().easy_init());
  HeadersPtr headers(libcurl().slist_append(nullptr, "Content-Type: application/json"));
  if (easy == nullptr || headers == nullptr) return fail(Code::internal, "libcurl has no handle");
  CURL* const curl = easy.get();
  bool ok = true;
  const auto set = [&](CURLoption option, auto value) {
    ok = libcurl().easy_setopt(curl, option, value) == CURLE_OK && ok;
  };
  const char* const protocol = settings.plain_http ? "http" : "https";
  set(CURLOPT_PROTOCOLS_STR, protocol);
  if (settings.plain_http) set(CURLOPT_PROXY, "");
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, kVerifyHost);
  if (!settings.ca_pem.empty()) {
    // Replaces the default file of CAs; their default folder stays, which on Debian holds the same.
    curl_blob pem{.data = const_cast<std::byte*>(settings.ca_pem.data()),
                  .len = settings.ca_pem.size(),
                  .flags = CURL_BLOB_NOCOPY};
    set(CURLOPT_CAINFO_BLOB, &pem);
  }
  set(CURLOPT_FOLLOWLOCATION, 0L);
  // Over HTTP/2 all requests would share one connection, which is not what --jobs says.
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BEARER));
  set(CURLOPT_XOAUTH2_BEARER, text_of(settings.token->view()).data());
  set(CURLOPT_USERAGENT, fmt::format("imprint/{}", kVersion).c_str());
  set(CURLOPT_HTTPHEADER, headers.get());
  set(CURLOPT_TIMEOUT_MS, static_cast<long>(settings.timeout.count()));
  if (!ok) return fail(Code::internal, "libcurl does not take its options");
  Transfer transfer(std::move(easy));
  transfer.headers_ = std::move(headers);
  return transfer;
}

std::size_t Transfer::on_data(const char* data, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  const std::size_t bytes = size * count;
  if (bytes > kLargestAnswer - transfer.received_.size()) {
    transfer.too_large_ = true;
    return 0;  // ends the transfer
  }
  transfer.received_.append(data, bytes);
  return bytes;
}

/// Pointers into this object are set anew each time: it may have been moved since.
void Transfer::prepare(const std::string& url) {
  received_.clear();
  too_large_ = false;
  trouble_.fill('\0');
  CURL* const curl = handle();
  libcurl().easy_setopt(curl, CURLOPT_ERRORBUFFER, trouble_.data());
  libcurl().easy_setopt(curl, CURLOPT_WRITEFUNCTION, &Transfer::on_data);
  libcurl().easy_setopt(curl, CURLOPT_WRITEDATA, this);
  libcurl().easy_setopt(curl, CURLOPT_PRIVATE, this);
  libcurl().easy_setopt(curl, CURLOPT_URL, url.c_str());
}

void Transfer::prepare_post(const std::string& url, std::string body) {
  prepare(url);
  sent_ = std::move(body);
  libcurl().easy_setopt(handle(), CURLOPT_POST, 1L);
  libcurl().easy_setopt(handle(), CURLOPT_POSTFIELDSIZE, static_cast<long>(sent_.size()));
  libcurl().easy_setopt(handle(), CURLOPT_POSTFIELDS, sent_.data());
}

void Transfer::prepare_get(const std::string& url) {
  prepare(url);
  libcurl().easy_setopt(handle(), CURLOPT_HTTPGET, 1L);
}

Reply Transfer::take_reply(CURLcode code) {
  Reply reply;
  if (too_large_) {
    reply.kind = Reply::Kind::too_large;
    reply.trouble = fmt::format("the answer has more than {} bytes", kLargestAnswer);
    return reply;
  }
  if (code != CURLE_OK) {
    reply.kind = is_about_trust(code) ? Reply::Kind::untrusted : Reply::Kind::unreachable;
    reply.trouble = trouble_[0] != '\0' ? trouble_.data() : libcurl().easy_strerror(code);
    return reply;
  }
  libcurl().easy_getinfo(handle(), CURLINFO_RESPONSE_CODE, &reply.status);
  curl_header* location = nullptr;
  if (libcurl().easy_header(handle(), "Location", 0, CURLH_HEADER, -1, &location) == CURLHE_OK) {
    reply.location = location->value;
  }
  curl_off_t seconds = 0;  // of a number or a date; 0: none
  libcurl().easy_getinfo(handle(), CURLINFO_RETRY_AFTER, &seconds);
  if (seconds > 0) reply.retry_after = std::chrono::seconds(seconds);
  reply.body = std::move(received_);
  return reply;
}

}  // namespace imprint::devauth
