// A hardware token locks itself after three to ten wrong PINs, and then the CA is gone. So a PIN is
// never tried on luck: the URI has to match exactly one token, its flags are read first, a refused
// PIN is never given again, and a token that was pulled and put back is compared with the one that
// was opened before it gets the PIN anew.

#include "token.hpp"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "imprint/base/text.hpp"

namespace imprint::authority {

namespace {

struct Found {
  CK_FUNCTION_LIST* functions = nullptr;
  CK_SLOT_ID slot = 0;
  CK_TOKEN_INFO info{};
};

std::string label_of(const CK_TOKEN_INFO& info) {
  return padded_text(info.label, sizeof(info.label));
}

std::string serial_of(const CK_TOKEN_INFO& info) {
  return padded_text(info.serialNumber, sizeof(info.serialNumber));
}

/// All initialised tokens of a module; a slot that cannot be read holds none for us.
std::vector<Found> tokens_of(CK_FUNCTION_LIST* functions) {
  std::vector<Found> found;
  CK_ULONG count = 0;
  if (functions->C_GetSlotList(CK_TRUE, nullptr, &count) != CKR_OK) return found;
  std::vector<CK_SLOT_ID> slots(count);
  if (functions->C_GetSlotList(CK_TRUE, slots.data(), &count) != CKR_OK) return found;
  slots.resize(std::min<std::size_t>(count, slots.size()));
  for (const CK_SLOT_ID slot : slots) {
    Found token{functions, slot, {}};
    if (functions->C_GetTokenInfo(slot, &token.info) != CKR_OK) continue;
    if ((token.info.flags & CKF_TOKEN_INITIALIZED) != 0) found.push_back(token);
  }
  return found;
}

bool matches(P11KitUri* uri, const Found& token) {
  CK_INFO module{};
  CK_SLOT_INFO slot{};
  const CK_SLOT_ID wanted = p11_kit_uri_get_slot_id(uri);
  if (wanted != static_cast<CK_SLOT_ID>(-1) && wanted != token.slot) return false;
  return token.functions->C_GetInfo(&module) == CKR_OK &&
         p11_kit_uri_match_module_info(uri, &module) == 1 &&
         token.functions->C_GetSlotInfo(token.slot, &slot) == CKR_OK &&
         p11_kit_uri_match_slot_info(uri, &slot) == 1 &&
         p11_kit_uri_match_token_info(uri, &token.info) == 1;
}

std::string list_of(const std::vector<Found>& tokens) {
  constexpr std::size_t kMost = 10;
  std::string text;
  for (std::size_t i = 0; i < std::min(tokens.size(), kMost); ++i) {
    text += fmt::format("{}{} (serial={}, in {})", i == 0 ? "" : ", ",
                        quoted(label_of(tokens[i].info)), printable(serial_of(tokens[i].info)),
                        quoted(module_file_name(tokens[i].functions)));
  }
  if (tokens.size() > kMost) text += fmt::format(" and {} more", tokens.size() - kMost);
  return text;
}

bool is_same_token(const CK_TOKEN_INFO& a, const CK_TOKEN_INFO& b) {
  return std::memcmp(a.label, b.label, sizeof(a.label)) == 0 &&
         std::memcmp(a.serialNumber, b.serialNumber, sizeof(a.serialNumber)) == 0 &&
         std::memcmp(a.manufacturerID, b.manufacturerID, sizeof(a.manufacturerID)) == 0;
}

bool asks_by_itself(const CK_TOKEN_INFO& info) {
  return (info.flags & CKF_PROTECTED_AUTHENTICATION_PATH) != 0;
}

}  // namespace

std::string padded_text(const unsigned char* field, std::size_t size) {
  return {reinterpret_cast<const char*>(field), p11_kit_space_strlen(field, size)};
}

bool is_session_lost(CK_RV rv) noexcept {
  return rv == CKR_SESSION_HANDLE_INVALID || rv == CKR_SESSION_CLOSED || rv == CKR_DEVICE_REMOVED ||
         rv == CKR_TOKEN_NOT_PRESENT || rv == CKR_DEVICE_ERROR;
}

Result<std::shared_ptr<Token>> Token::open(ParsedUri uri,
                                           const std::optional<PassphraseSource>& pin,
                                           std::vector<std::string>& warnings) {
  std::shared_ptr<Token> token(new Token(std::move(uri)));
  token->modules_ = IMPRINT_TRY(TokenModules::load(token->uri()));
  IMPRINT_TRY(token->find());
  IMPRINT_TRY(token->check_before_login(token->identity_, &warnings).context(token->name_));
  IMPRINT_TRY(token->read_pin(pin).context(token->name_));
  return token;
}

Result<> Token::find() {
  std::vector<Found> all;
  std::vector<Found> matching;
  for (CK_FUNCTION_LIST* const functions : modules_->list()) {
    for (const Found& token : tokens_of(functions)) {
      all.push_back(token);
      if (matches(uri(), token)) matching.push_back(token);
    }
  }
  if (matching.empty()) {
    const std::string there = all.empty() ? "there is no token" : "there is: " + list_of(all);
    return fail(Code::not_found, fmt::format("no token matches the URI; {}", there));
  }
  if (matching.size() > 1) {
    return fail(Code::invalid_input,
                fmt::format("the URI matches {} tokens: {}; add serial= or module-path= to it",
                            matching.size(), list_of(matching)));
  }
  functions_ = matching.front().functions;
  slot_ = matching.front().slot;
  identity_ = matching.front().info;
  name_ = "token " + quoted(label_of(identity_));
  return {};
}

/// After the token went away: it may have come back in another slot.
Result<> Token::find_again() {
  for (const Found& token : tokens_of(functions_)) {
    if (!is_same_token(token.info, identity_)) continue;
    slot_ = token.slot;
    return {};
  }
  return fail(Code::io, "the token is not there any more; put it back");
}

Result<CK_TOKEN_INFO> Token::read_info() const {
  CK_TOKEN_INFO info{};
  const CK_RV rv = functions_->C_GetTokenInfo(slot_, &info);
  if (rv != CKR_OK) return fail(token_error("reading its state", rv));
  return info;
}

Result<> Token::check_before_login(const CK_TOKEN_INFO& info,
                                   std::vector<std::string>* warnings) const {
  if ((info.flags & CKF_LOGIN_REQUIRED) == 0) return {};
  if ((info.flags & CKF_USER_PIN_LOCKED) != 0) {
    return fail(Code::invalid_input,
                "its user PIN is locked; let its security officer set it anew");
  }
  if ((info.flags & CKF_USER_PIN_FINAL_TRY) != 0) {
    return fail(Code::invalid_input,
                "one more wrong PIN would lock it, so none is given; log in once by its own tools, "
                "such as pkcs11-tool --login");
  }
  if ((info.flags & CKF_USER_PIN_INITIALIZED) == 0) {
    return fail(Code::invalid_input,
                "it has no user PIN yet; let its security officer set one first");
  }
  if ((info.flags & CKF_USER_PIN_COUNT_LOW) != 0 && warnings != nullptr) {
    warnings->push_back(name_ + ": a wrong PIN was given since the last login");
  }
  return {};
}

Result<> Token::read_pin(const std::optional<PassphraseSource>& source) {
  if ((identity_.flags & CKF_LOGIN_REQUIRED) == 0 || asks_by_itself(identity_)) return {};
  if (!source && !uri_.pin_file) {
    return fail(Code::invalid_input,
                "it wants a PIN and none was given; name its source: env:NAME, file:PATH, fd:N, "
                "credential:NAME or prompt");
  }
  const PassphraseSource from = source.value_or(PassphraseSource{
      PassphraseSource::Kind::file, uri_.pin_file ? uri_.pin_file->string() : std::string()});
  pin_ = IMPRINT_TRY(read_passphrase(from, {.what = "PIN of the " + name_}));
  return {};
}

Result<> Token::login(CK_SESSION_HANDLE session, CK_USER_TYPE user) {
  if (pin_refused_) {
    return fail(Code::invalid_input, "the PIN was refused before and is not tried again");
  }
  // C_Login takes a pointer to what it does not change.
  CK_UTF8CHAR* const pin = pin_ ? reinterpret_cast<CK_UTF8CHAR*>(pin_->data()) : nullptr;
  const CK_RV rv = functions_->C_Login(session, user, pin, pin_ ? pin_->size() : 0);
  if (rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN) return {};
  if (rv == CKR_PIN_INCORRECT || rv == CKR_PIN_LOCKED || rv == CKR_PIN_LEN_RANGE ||
      rv == CKR_PIN_INVALID || rv == CKR_PIN_EXPIRED) {
    pin_refused_ = true;
  }
  if (rv == CKR_PIN_INCORRECT) {
    return fail(Code::invalid_input,
                "the PIN is wrong; it was tried once and is not tried again, because tokens lock "
                "themselves");
  }
  if (rv == CKR_PIN_LOCKED) {
    return fail(Code::invalid_input,
                "its user PIN is locked; let its security officer set it anew");
  }
  return fail(token_error("logging in", rv));
}

Result<> Token::login_if_needed(CK_SESSION_HANDLE session) {
  if ((identity_.flags & CKF_LOGIN_REQUIRED) == 0) return {};
  CK_SESSION_INFO state{};
  const CK_RV rv = functions_->C_GetSessionInfo(session, &state);
  if (rv != CKR_OK) return fail(token_error("asking who is logged in", rv));
  // One login counts for all sessions of a process.
  if (state.state == CKS_RO_USER_FUNCTIONS || state.state == CKS_RW_USER_FUNCTIONS) return {};
  const CK_TOKEN_INFO info = IMPRINT_TRY(read_info());
  if (!is_same_token(info, identity_)) {
    return fail(Code::invalid_input, "another token has taken its place; put it back");
  }
  IMPRINT_TRY(check_before_login(info, nullptr));
  return login(session, CKU_USER);
}

Result<CK_SESSION_HANDLE> Token::open_session() {
  const std::lock_guard lock(mutex_);
  CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
  CK_RV rv = functions_->C_OpenSession(slot_, CKF_SERIAL_SESSION, nullptr, nullptr, &session);
  if (rv == CKR_SLOT_ID_INVALID || rv == CKR_TOKEN_NOT_PRESENT || rv == CKR_DEVICE_REMOVED) {
    IMPRINT_TRY(find_again().context(name_));
    rv = functions_->C_OpenSession(slot_, CKF_SERIAL_SESSION, nullptr, nullptr, &session);
  }
  if (rv == CKR_SESSION_COUNT) {
    return fail(Code::busy, name_ +
                                ": it has no session left; use fewer --jobs, or end other "
                                "programs that use it");
  }
  if (rv != CKR_OK) return fail(token_error("opening a session", rv).context(name_));
  Result<> logged_in = login_if_needed(session);
  if (logged_in) return session;
  close_session(session);
  return fail(std::move(logged_in).error().context(name_));
}

void Token::close_session(CK_SESSION_HANDLE session) const noexcept {
  if (session != CK_INVALID_HANDLE) functions_->C_CloseSession(session);
}

Result<> Token::authenticate_operation(CK_SESSION_HANDLE session) {
  const std::lock_guard lock(mutex_);
  return login(session, CKU_CONTEXT_SPECIFIC).context(name_);
}

}  // namespace imprint::authority
