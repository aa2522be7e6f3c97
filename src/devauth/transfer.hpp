#pragma once

#include <array>
#include <chrono>
#include <string>

#include "curl.hpp"
#include "imprint/base/bytes.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/secret.hpp"
#include "reply.hpp"

namespace imprint::devauth {

/// One request at a time over a handle that is kept: the connection is used again. One thread.
class Transfer {
 public:
  struct Settings {
    bool plain_http = false;  ///< to this machine only
    std::chrono::milliseconds timeout{};
    Bytes ca_pem;  ///< trusted besides the system's store; empty for none
    const crypto::SecretBytes* token = nullptr;  ///< NUL at its end
  };

  /// `settings` has to outlive it.
  static Result<Transfer> make(const Settings& settings);
  Transfer(Transfer&&) noexcept = default;

  /// Makes it ready for curl_multi_add_handle. It must not be moved while it is under way.
  void prepare_post(const std::string& url, std::string body);
  void prepare_get(const std::string& url);

  /// Once libcurl says that it is done.
  [[nodiscard]] Reply take_reply(CURLcode code);

  [[nodiscard]] CURL* handle() const noexcept { return easy_.get(); }

 private:
  explicit Transfer(EasyPtr easy) : easy_(std::move(easy)) {}

  static std::size_t on_data(const char* data, std::size_t size, std::size_t count, void* self);
  void prepare(const std::string& url);

  EasyPtr easy_;
  HeadersPtr headers_;
  std::string sent_;
  std::string received_;
  bool too_large_ = false;
  std::array<char, CURL_ERROR_SIZE> trouble_{};
};

}  // namespace imprint::devauth
