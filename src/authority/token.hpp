#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "imprint/authority/passphrase.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/secret.hpp"
#include "parsed_uri.hpp"
#include "token_module.hpp"

namespace imprint::authority {

/// The one token that a URI means, logged in to. Shared by all its signers; thread-safe.
///
/// The PIN is read once, when the token asks for one, and given to this token only: before every
/// login the token is compared with the one that was found first. A PIN that was refused is not
/// given again.
class Token {
 public:
  /// Finds it and opens it; none or several is an error that lists what is there. `pin` is used
  /// before the URI's pin-source.
  static Result<std::shared_ptr<Token>> open(ParsedUri uri,
                                             const std::optional<PassphraseSource>& pin,
                                             std::vector<std::string>& warnings);
  Token(const Token&) = delete;
  Token& operator=(const Token&) = delete;

  /// A session that is logged in. Logs in only when the token says that nobody is.
  Result<CK_SESSION_HANDLE> open_session();
  void close_session(CK_SESSION_HANDLE session) const noexcept;

  /// The login that a key with CKA_ALWAYS_AUTHENTICATE wants before each signature.
  Result<> authenticate_operation(CK_SESSION_HANDLE session);

  [[nodiscard]] CK_FUNCTION_LIST* functions() const noexcept { return functions_; }

  [[nodiscard]] P11KitUri* uri() const noexcept { return uri_.native.get(); }

  /// `token 'label'`
  [[nodiscard]] const std::string& name() const noexcept { return name_; }

 private:
  explicit Token(ParsedUri uri) : uri_(std::move(uri)) {}

  Result<> find();
  Result<> find_again();
  Result<CK_TOKEN_INFO> read_info() const;
  Result<> check_before_login(const CK_TOKEN_INFO& info, std::vector<std::string>* warnings) const;
  Result<> read_pin(const std::optional<PassphraseSource>& source);
  Result<> login(CK_SESSION_HANDLE session, CK_USER_TYPE user);
  Result<> login_if_needed(CK_SESSION_HANDLE session);

  ParsedUri uri_;
  std::shared_ptr<TokenModules> modules_;
  CK_FUNCTION_LIST* functions_ = nullptr;
  CK_SLOT_ID slot_ = 0;
  CK_TOKEN_INFO identity_{};  // as it was found
  std::string name_;

  std::mutex mutex_;                        // around opening sessions and logging in: slot and PIN
  std::optional<crypto::SecretBytes> pin_;  // none: the token asks by itself, or wants none
  bool pin_refused_ = false;
};

/// Whether a signer may get over this by a new session: the session or the token has gone away.
[[nodiscard]] bool is_session_lost(CK_RV rv) noexcept;

/// A blank-padded field of a PKCS#11 structure.
[[nodiscard]] std::string padded_text(const unsigned char* field, std::size_t size);

}  // namespace imprint::authority
