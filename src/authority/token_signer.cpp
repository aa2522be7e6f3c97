// The key is in a PKCS#11 token. Raw C_SignInit and C_Sign on a session per thread: OpenSSL's
// ENGINE for it is deprecated and retries PINs, and its sessions are not ours to count. Tokens that
// hash by themselves are rare (SoftHSM does not), so hashing is done here and the token gets a
// digest.

#include "token_signer.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <thread>

#include <fmt/format.h>

#include "ecdsa_signature.hpp"
#include "token.hpp"
#include "token_session.hpp"

namespace imprint::authority {

namespace {

using crypto::SignatureAlgorithm;
using namespace std::string_view_literals;

/// A lost session is opened anew so many times, with growing pauses: a network HSM fails over in a
/// second or two. Anything else is final.
constexpr std::array kReopenPauses = {std::chrono::milliseconds(0), std::chrono::milliseconds(200),
                                      std::chrono::milliseconds(2000)};

/// DigestInfo of PKCS#1 up to the digest: SHA-256, NULL.
constexpr std::string_view kSha256DigestInfo =
    "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"sv;

/// Of RSA with 16,384 bits, the largest that anybody makes.
constexpr std::size_t kMaxRawSignatureBytes = 2048;

struct Mechanism {
  CK_MECHANISM_TYPE type;
  CK_KEY_TYPE key_type;
  std::string_view name;
  std::string_view key_name;
};

constexpr Mechanism kEcdsa = {CKM_ECDSA, CKK_EC, "CKM_ECDSA", "an EC key"};
constexpr Mechanism kRsa = {CKM_RSA_PKCS, CKK_RSA, "CKM_RSA_PKCS", "an RSA key"};
constexpr Mechanism kEddsa = {CKM_EDDSA, CKK_EC_EDWARDS, "CKM_EDDSA", "an Ed25519 key"};

const Mechanism& mechanism_of(SignatureAlgorithm algorithm) {
  switch (algorithm) {
    case SignatureAlgorithm::rsa_sha256:
      return kRsa;
    case SignatureAlgorithm::ed25519:
      return kEddsa;
    default:
      return kEcdsa;
  }
}

class TokenSigner final : public crypto::Signer {
 public:
  TokenSigner(Session session, CK_OBJECT_HANDLE key, SignatureAlgorithm algorithm,
              std::size_t max_signature_bytes)
      : session_(std::move(session)),
        key_(key),
        algorithm_(algorithm),
        max_signature_bytes_(max_signature_bytes) {}

  static Result<std::unique_ptr<Signer>> create(std::shared_ptr<Token> token,
                                                SignatureAlgorithm algorithm,
                                                std::size_t max_signature_bytes);

  [[nodiscard]] SignatureAlgorithm algorithm() const noexcept override { return algorithm_; }

  [[nodiscard]] std::size_t max_signature_bytes() const noexcept override {
    return max_signature_bytes_;
  }

  Result<std::size_t> sign(ByteView input, MutableBytes signature) override;

  [[nodiscard]] Result<std::unique_ptr<Signer>> clone() const override {
    return create(session_.shared_token(), algorithm_, max_signature_bytes_);
  }

 private:
  Result<> check_key();
  Result<CK_RV> sign_once(ByteView input, MutableBytes raw, CK_ULONG& size);
  Result<> reopen(CK_RV lost);
  Result<ByteView> sign_raw(ByteView input, MutableBytes raw);

  Session session_;
  CK_OBJECT_HANDLE key_;
  SignatureAlgorithm algorithm_;
  std::size_t max_signature_bytes_;
  bool always_authenticate_ = false;
};

Result<std::unique_ptr<crypto::Signer>> TokenSigner::create(std::shared_ptr<Token> token,
                                                            SignatureAlgorithm algorithm,
                                                            std::size_t max_signature_bytes) {
  const std::string name = token->name();
  Session session = IMPRINT_TRY(Session::open(std::move(token)));
  const CK_OBJECT_HANDLE key = IMPRINT_TRY(find_key(session).context(name));
  auto signer =
      std::make_unique<TokenSigner>(std::move(session), key, algorithm, max_signature_bytes);
  IMPRINT_TRY(signer->check_key().context(name));
  return std::unique_ptr<Signer>(std::move(signer));
}

Result<> TokenSigner::check_key() {
  const Mechanism& mechanism = mechanism_of(algorithm_);
  CK_KEY_TYPE type = 0;
  const std::string value = key_attribute(session_, key_, CKA_KEY_TYPE);
  if (value.size() == sizeof(type)) std::memcpy(&type, value.data(), sizeof(type));
  if (value.size() != sizeof(type) || type != mechanism.key_type) {
    return fail(Code::invalid_input,
                fmt::format("the private key {} is not {}, which the CA certificate's is; name the "
                            "key with which that one was made",
                            list_of_keys(session_, {key_}), mechanism.key_name));
  }
  const std::string always = key_attribute(session_, key_, CKA_ALWAYS_AUTHENTICATE);
  always_authenticate_ = always.size() == sizeof(CK_BBOOL) && always.front() != CK_FALSE;
  return {};
}

/// The CK_RV says what became of it, so that a lost session can be told from the rest; a login that
/// fails is an error of its own.
Result<CK_RV> TokenSigner::sign_once(ByteView input, MutableBytes raw, CK_ULONG& size) {
  CK_FUNCTION_LIST* const functions = session_.token().functions();
  CK_MECHANISM mechanism{mechanism_of(algorithm_).type, nullptr, 0};
  const CK_RV rv = functions->C_SignInit(session_.get(), &mechanism, key_);
  if (rv != CKR_OK) return rv;
  if (always_authenticate_) {
    IMPRINT_TRY(session_.token().authenticate_operation(session_.get()));
  }
  size = raw.size();
  // PKCS#11 takes pointers to what it does not change.
  auto* const data = reinterpret_cast<CK_BYTE*>(const_cast<std::byte*>(input.data()));
  return functions->C_Sign(session_.get(), data, input.size(),
                           reinterpret_cast<CK_BYTE*>(raw.data()), &size);
}

/// After `lost`. Until it succeeds there is no session, and signing begins with another try.
Result<> TokenSigner::reopen(CK_RV lost) {
  // A device error leaves the session open; everything else has closed it.
  if (lost == CKR_DEVICE_ERROR) {
    session_.close();
  } else {
    session_.forget();
  }
  Session fresh = IMPRINT_TRY(Session::open(session_.shared_token()));
  key_ = IMPRINT_TRY(find_key(fresh));
  session_ = std::move(fresh);
  return {};
}

Result<ByteView> TokenSigner::sign_raw(ByteView input, MutableBytes raw) {
  CK_ULONG size = 0;
  CK_RV rv = IMPRINT_TRY(sign_once(input, raw, size));
  Result<> reopened;
  for (auto pause = kReopenPauses.begin(); is_session_lost(rv) && pause != kReopenPauses.end();
       ++pause) {
    std::this_thread::sleep_for(*pause);
    reopened = reopen(rv);
    if (reopened) rv = IMPRINT_TRY(sign_once(input, raw, size));
  }
  if (rv == CKR_OK) return ByteView(raw).first(std::min<std::size_t>(size, raw.size()));
  if (!reopened) return fail(std::move(reopened).error());
  return fail(token_error(fmt::format("signing with {}", mechanism_of(algorithm_).name), rv));
}

Result<std::size_t> TokenSigner::sign(ByteView input, MutableBytes signature) {
  std::array<std::byte, kMaxRawSignatureBytes> raw;
  std::array<std::byte, kSha256DigestInfo.size() + 32> digest_info;
  if (algorithm_ == SignatureAlgorithm::rsa_sha256) {
    if (kSha256DigestInfo.size() + input.size() != digest_info.size())
      return fail(Code::internal, "a digest of the wrong size");
    const auto rest = std::ranges::copy(bytes_of(kSha256DigestInfo), digest_info.begin()).out;
    std::ranges::copy(input, rest);
    input = digest_info;
  }
  const std::string& name = session_.token().name();
  const ByteView made = IMPRINT_TRY(sign_raw(input, raw).context(name));
  if (mechanism_of(algorithm_).type == CKM_ECDSA) {
    return encode_ecdsa_signature(algorithm_, made, signature).context(name);
  }
  if (made.size() > signature.size()) {
    return fail(Code::crypto, fmt::format("{}: it gave a signature of {} bytes where at most {} "
                                          "are possible",
                                          name, made.size(), signature.size()));
  }
  std::ranges::copy(made, signature.begin());
  return made.size();
}

}  // namespace

Result<std::unique_ptr<crypto::Signer>> make_token_signer(
    const TokenKey& key, const std::optional<PassphraseSource>& pin, const crypto::Certificate& ca,
    std::vector<std::string>& warnings) {
  ParsedUri uri = IMPRINT_TRY(parse_token_uri(key.uri));
  const SignatureAlgorithm algorithm = IMPRINT_TRY(crypto::signature_algorithm_of(ca));
  auto token = IMPRINT_TRY(Token::open(std::move(uri), pin, warnings));
  return TokenSigner::create(std::move(token), algorithm, crypto::max_signature_bytes(ca));
}

}  // namespace imprint::authority
