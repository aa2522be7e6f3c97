#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "imprint/base/result.hpp"
#include "token.hpp"

namespace imprint::authority {

/// A session of a token, closed when destroyed.
class Session {
 public:
  static Result<Session> open(std::shared_ptr<Token> token) {
    const CK_SESSION_HANDLE handle = IMPRINT_TRY(token->open_session());
    return Session(std::move(token), handle);
  }

  Session(Session&& other) noexcept
      : token_(std::move(other.token_)),
        handle_(std::exchange(other.handle_, CK_INVALID_HANDLE)) {}

  Session& operator=(Session&& other) noexcept {
    std::swap(token_, other.token_);
    std::swap(handle_, other.handle_);
    return *this;
  }

  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  ~Session() { close(); }

  void close() noexcept {
    if (token_ != nullptr) token_->close_session(std::exchange(handle_, CK_INVALID_HANDLE));
  }

  /// For a session that is lost: its number may be another's by now, so it must not be closed.
  void forget() noexcept { handle_ = CK_INVALID_HANDLE; }

  [[nodiscard]] CK_SESSION_HANDLE get() const noexcept { return handle_; }

  [[nodiscard]] Token& token() const noexcept { return *token_; }

  [[nodiscard]] const std::shared_ptr<Token>& shared_token() const noexcept { return token_; }

 private:
  Session(std::shared_ptr<Token> token, CK_SESSION_HANDLE handle)
      : token_(std::move(token)),
        handle_(handle) {}

  std::shared_ptr<Token> token_;
  CK_SESSION_HANDLE handle_ = CK_INVALID_HANDLE;
};

/// The one private key that the token's URI means. None or several is an error that lists what
/// there is.
[[nodiscard]] Result<CK_OBJECT_HANDLE> find_key(const Session& session);

/// A value of an object, of at most 256 bytes; empty when it has none, or hides it.
[[nodiscard]] std::string key_attribute(const Session& session, CK_OBJECT_HANDLE object,
                                        CK_ATTRIBUTE_TYPE type);

/// `'label' (id=%01%02)` for each, as a URI would name them.
[[nodiscard]] std::string list_of_keys(const Session& session,
                                       const std::vector<CK_OBJECT_HANDLE>& keys);

}  // namespace imprint::authority
