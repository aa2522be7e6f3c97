#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include "imprint/base/text.hpp"
#include "native.hpp"

namespace imprint::crypto {

namespace {

using StorePtr = std::unique_ptr<X509_STORE, Freer<X509_STORE_free>>;
using StoreContextPtr = std::unique_ptr<X509_STORE_CTX, Freer<X509_STORE_CTX_free>>;

struct StackFreer {
  void operator()(STACK_OF(X509) * stack) const noexcept { sk_X509_free(stack); }
};

using StackPtr = std::unique_ptr<STACK_OF(X509), StackFreer>;

bool signs_and_verifies(EVP_PKEY* private_key, EVP_PKEY* public_key) {
  constexpr std::string_view kProbe = "imprint: do this key and this certificate belong together?";
  const ByteView probe = bytes_of(kProbe);
  const DigestContextPtr context(EVP_MD_CTX_new());
  std::size_t size = static_cast<std::size_t>(EVP_PKEY_get_size(private_key));
  Bytes signature(size);
  const char* digest = EVP_PKEY_is_a(private_key, "ED25519") == 1 ? nullptr : "SHA256";
  if (context == nullptr ||
      EVP_DigestSignInit_ex(context.get(), nullptr, digest, nullptr, nullptr, private_key,
                            nullptr) != 1 ||
      EVP_DigestSign(context.get(), octets(MutableBytes(signature)), &size, octets(probe),
                     probe.size()) != 1) {
    return false;
  }
  const DigestContextPtr judge(EVP_MD_CTX_new());
  return judge != nullptr &&
         EVP_DigestVerifyInit_ex(judge.get(), nullptr, digest, nullptr, nullptr, public_key,
                                 nullptr) == 1 &&
         EVP_DigestVerify(judge.get(), octets(ByteView(signature)), size, octets(probe),
                          probe.size()) == 1;
}

}  // namespace

bool belongs_together(const PrivateKey& key, const Certificate& certificate) {
  const CleanErrorQueue errors;
  EVP_PKEY* certified = X509_get0_pubkey(native_of(certificate));
  return certified != nullptr && EVP_PKEY_eq(native_of(key), certified) == 1 &&
         signs_and_verifies(native_of(key), certified);
}

namespace {

Result<> verify(const Certificate& leaf, std::span<const Certificate> intermediates,
                std::span<const Certificate> trusted, TimePoint at, Strictness strictness,
                int purpose) {
  const CleanErrorQueue errors;
  const StorePtr store(X509_STORE_new());
  const StackPtr chain(sk_X509_new_null());
  const StoreContextPtr context(X509_STORE_CTX_new());
  bool ready = store != nullptr && chain != nullptr && context != nullptr;
  for (const Certificate& certificate : trusted) {
    ready = ready && X509_STORE_add_cert(store.get(), native_of(certificate)) == 1;
  }
  for (const Certificate& certificate : intermediates) {
    ready = ready && sk_X509_push(chain.get(), native_of(certificate)) > 0;
  }
  ready =
      ready && X509_STORE_CTX_init(context.get(), store.get(), native_of(leaf), chain.get()) == 1;
  if (!ready) return fail(openssl_error(Code::crypto, "preparing to verify a certificate"));
  X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(context.get());
  unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN;
  if (strictness == Strictness::strict) flags |= X509_V_FLAG_X509_STRICT;
  X509_VERIFY_PARAM_set_flags(parameters, flags);
  X509_VERIFY_PARAM_set_time(parameters, at.time_since_epoch().count());
  X509_STORE_CTX_set_purpose(context.get(), purpose);
  if (X509_verify_cert(context.get()) == 1) return {};
  const int reason = X509_STORE_CTX_get_error(context.get());
  std::string what = X509_verify_cert_error_string(reason);
  if (const X509* blamed = X509_STORE_CTX_get_current_cert(context.get());
      blamed != nullptr && blamed != native_of(leaf)) {
    what +=
        ", in the chain at depth " + std::to_string(X509_STORE_CTX_get_error_depth(context.get()));
  }
  return fail(Code::check_failed, "the certificate does not verify: " + what);
}

}  // namespace

Result<> verify_client_certificate(const Certificate& leaf,
                                   std::span<const Certificate> intermediates,
                                   std::span<const Certificate> trusted, TimePoint at,
                                   Strictness strictness) {
  return verify(leaf, intermediates, trusted, at, strictness, X509_PURPOSE_SSL_CLIENT);
}

Result<> verify_server_certificate(const Certificate& leaf,
                                   std::span<const Certificate> intermediates,
                                   std::span<const Certificate> trusted, TimePoint at,
                                   Strictness strictness) {
  return verify(leaf, intermediates, trusted, at, strictness, X509_PURPOSE_SSL_SERVER);
}

bool is_issued_by(const Certificate& certificate, const Certificate& issuer) {
  const CleanErrorQueue errors;
  EVP_PKEY* key = X509_get0_pubkey(native_of(issuer));
  return key != nullptr &&
         X509_NAME_cmp(X509_get_issuer_name(native_of(certificate)),
                       X509_get_subject_name(native_of(issuer))) == 0 &&
         X509_verify(native_of(certificate), key) == 1;
}

}  // namespace imprint::crypto
