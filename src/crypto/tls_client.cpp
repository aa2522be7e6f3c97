// A TLS client that says what happened, which OpenSSL's own interface tells only in part: whether
// the server asked for a certificate, which certificates went out, and what it said when it refused
// them. So the handshake is watched message by message (SSL_set_msg_callback), and the server's
// chain is verified by the call that OpenSSL would make itself (X509_verify_cert, with all of its
// settings), whose outcome is kept.
//
// The network is the caller's: OpenSSL's own socket I/O has no time limits, and ends the process by
// SIGPIPE when a server that has refused a client hangs up.

#include "imprint/crypto/tls_client.hpp"

#include <array>
#include <limits>
#include <utility>

#include <openssl/ssl.h>
#include <openssl/tls1.h>

#include "imprint/base/text.hpp"
#include "native.hpp"
#include "tls_messages.hpp"

namespace imprint::crypto {

namespace {

using TlsContextPtr = std::unique_ptr<SSL_CTX, Freer<SSL_CTX_free>>;
using TlsPtr = std::unique_ptr<SSL, Freer<SSL_free>>;

std::optional<Certificate> copy_of(const X509* x509) {
  const int size = i2d_X509(x509, nullptr);
  if (size <= 0) return std::nullopt;
  Bytes der(static_cast<std::size_t>(size));
  unsigned char* at = octets(MutableBytes(der));
  i2d_X509(x509, &at);
  auto parsed = certificate_from_der(der);
  return parsed ? std::optional<Certificate>(std::move(*parsed)) : std::nullopt;
}

TlsDistrust kind_of_error(int error) {
  switch (error) {
    case X509_V_OK:
      return TlsDistrust::none;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return TlsDistrust::name;
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return TlsDistrust::expired;
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return TlsDistrust::not_yet_valid;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return TlsDistrust::issuer;
    default:
      return TlsDistrust::other;
  }
}

}  // namespace

struct TlsClient::Impl {
  TlsContextPtr context;
  TlsPtr tls;
  BIO* from_server = nullptr;  // both are the connection's
  BIO* to_server = nullptr;
  TlsFacts facts;

  TlsStep step_after(int result);
  void note_names();
  void note_verdict(X509_STORE_CTX* verification, bool trusted);
  void note_message(bool sent, int type, ByteView message);

  static int verify(X509_STORE_CTX* verification, void* self);
  static void watch(int write, int version, int type, const void* data, std::size_t size, SSL* tls,
                    void* self);
};

int TlsClient::Impl::verify(X509_STORE_CTX* verification, void* self) {
  const bool trusted = X509_verify_cert(verification) == 1;
  static_cast<Impl*>(self)->note_verdict(verification, trusted);
  return trusted ? 1 : 0;
}

void TlsClient::Impl::note_verdict(X509_STORE_CTX* verification, bool trusted) {
  facts.server_chain.clear();
  const STACK_OF(X509)* sent = X509_STORE_CTX_get0_untrusted(verification);
  for (int i = 0; i < sk_X509_num(sent); ++i) {
    if (auto certificate = copy_of(sk_X509_value(sent, i)))
      facts.server_chain.push_back(std::move(*certificate));
  }
  const int error = X509_STORE_CTX_get_error(verification);
  if (trusted) {
    const STACK_OF(X509)* chain = X509_STORE_CTX_get0_chain(verification);
    facts.anchor = copy_of(sk_X509_value(chain, sk_X509_num(chain) - 1));
    return;
  }
  facts.distrust = kind_of_error(error);
  facts.distrust_reason = X509_verify_cert_error_string(error);
}

void TlsClient::Impl::watch(int write, int /*version*/, int type, const void* data,
                            std::size_t size, SSL* /*tls*/, void* self) {
  static_cast<Impl*>(self)->note_message(write != 0, type,
                                         {static_cast<const std::byte*>(data), size});
}

void TlsClient::Impl::note_message(bool sent, int type, ByteView message) {
  if (type == SSL3_RT_ALERT && !sent) {
    if (const auto alert = fatal_alert(message)) facts.alert = alert;
  }
  if (type != SSL3_RT_HANDSHAKE || message.empty()) return;
  const int kind = std::to_integer<int>(message.front());
  if (kind == SSL3_MT_CERTIFICATE_REQUEST && !sent) facts.certificate_requested = true;
  if (kind != SSL3_MT_CERTIFICATE || !sent) return;
  facts.certificate_message_sent = true;
  facts.certificates_sent.clear();
  const bool has_context = SSL_version(tls.get()) >= TLS1_3_VERSION;
  for (const ByteView der : certificates_of_message(message, has_context)) {
    if (auto certificate = certificate_from_der(der))
      facts.certificates_sent.push_back(std::move(*certificate));
  }
}

void TlsClient::Impl::note_names() {
  if (const SSL_CIPHER* cipher = SSL_get_current_cipher(tls.get())) {
    facts.cipher = SSL_CIPHER_get_name(cipher);
    facts.version = SSL_get_version(tls.get());
  }
  const STACK_OF(X509_NAME)* names = SSL_get0_peer_CA_list(tls.get());
  if (!facts.requested_authorities.empty()) return;
  for (int i = 0; i < sk_X509_NAME_num(names); ++i)
    facts.requested_authorities.push_back(name_text(sk_X509_NAME_value(names, i)));
}

TlsStep TlsClient::Impl::step_after(int result) {
  note_names();
  facts.finished = SSL_is_init_finished(tls.get()) == 1;
  switch (SSL_get_error(tls.get(), result)) {
    case SSL_ERROR_NONE:
      return TlsStep::done;
    case SSL_ERROR_WANT_READ:
      return TlsStep::wants_input;
    case SSL_ERROR_ZERO_RETURN:
      return TlsStep::closed;
    default:
      facts.failure = openssl_error(Code::crypto, "TLS").what;
      return TlsStep::failed;
  }
}

namespace {

/// The certificates, the key, and whom to trust.
bool arm(SSL_CTX* context, const TlsClientSettings& settings) {
  bool ok = !settings.certificates.empty() &&
            SSL_CTX_use_certificate(context, native_of(settings.certificates.front())) == 1 &&
            SSL_CTX_use_PrivateKey(context, native_of(settings.key)) == 1;
  for (std::size_t i = 1; ok && i < settings.certificates.size(); ++i) {
    X509* further = native_of(settings.certificates[i]);
    ok = SSL_CTX_ctrl(context, SSL_CTRL_EXTRA_CHAIN_CERT, 0, further) == 1;
    if (ok) X509_up_ref(further);  // the context has taken it over
  }
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  for (const Certificate& certificate : settings.trusted)
    ok = ok && X509_STORE_add_cert(store, native_of(certificate)) == 1;
  return ok;
}

/// As clients do it: the name goes out whatever it is, and is compared as what it is.
bool set_name(SSL* tls, const std::string& name) {
  X509_VERIFY_PARAM* parameters = SSL_get0_param(tls);
  const bool is_address = X509_VERIFY_PARAM_set1_ip_asc(parameters, name.c_str()) == 1;
  return (is_address || X509_VERIFY_PARAM_set1_host(parameters, name.data(), name.size()) == 1) &&
         SSL_ctrl(tls, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                  const_cast<char*>(name.c_str())) == 1;
}

}  // namespace

TlsClient::TlsClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

TlsClient::TlsClient(TlsClient&&) noexcept = default;
TlsClient& TlsClient::operator=(TlsClient&&) noexcept = default;
TlsClient::~TlsClient() = default;

Result<TlsClient> TlsClient::make(const TlsClientSettings& settings) {
  const CleanErrorQueue errors;
  auto impl = std::make_unique<Impl>();
  impl->context.reset(SSL_CTX_new(TLS_client_method()));
  SSL_CTX* const context = impl->context.get();
  if (context == nullptr) return fail(openssl_error(Code::crypto, "preparing TLS"));
  SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_2_VERSION, nullptr);
  SSL_CTX_set_verify(context, settings.verify_server ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  SSL_CTX_set_cert_verify_callback(context, &Impl::verify, impl.get());
  if (!arm(context, settings)) return fail(openssl_error(Code::crypto, "a TLS client with it"));
  impl->tls.reset(SSL_new(context));
  SSL* const tls = impl->tls.get();
  BioPtr in(BIO_new(BIO_s_mem()));
  BioPtr out(BIO_new(BIO_s_mem()));
  if (tls == nullptr || in == nullptr || out == nullptr || !set_name(tls, settings.server_name))
    return fail(openssl_error(Code::crypto, "preparing TLS"));
  SSL_set_msg_callback(tls, &Impl::watch);
  SSL_ctrl(tls, SSL_CTRL_SET_MSG_CALLBACK_ARG, 0, impl.get());
  // Empty is "nothing yet", not "the end".
  BIO_ctrl(in.get(), BIO_C_SET_BUF_MEM_EOF_RETURN, -1, nullptr);
  impl->from_server = in.release();
  impl->to_server = out.release();
  SSL_set_bio(tls, impl->from_server, impl->to_server);
  return TlsClient(std::move(impl));
}

void TlsClient::put_received(ByteView from_server) {
  BIO_write(impl_->from_server, from_server.data(), static_cast<int>(from_server.size()));
}

void TlsClient::put_end() {
  BIO_ctrl(impl_->from_server, BIO_C_SET_BUF_MEM_EOF_RETURN, 0, nullptr);
}

Bytes TlsClient::take_to_send() {
  const ByteView waiting = content_of(impl_->to_server);
  Bytes bytes(waiting.begin(), waiting.end());
  BIO_ctrl(impl_->to_server, BIO_CTRL_RESET, 0, nullptr);
  return bytes;
}

TlsStep TlsClient::handshake() {
  const CleanErrorQueue errors;
  return impl_->step_after(SSL_connect(impl_->tls.get()));
}

TlsStep TlsClient::write(ByteView plain) {
  const CleanErrorQueue errors;
  return impl_->step_after(
      SSL_write(impl_->tls.get(), plain.data(), static_cast<int>(plain.size())));
}

TlsStep TlsClient::read(Bytes& plain) {
  const CleanErrorQueue errors;
  std::array<std::byte, 16384> part{};  // the largest record
  const int size = SSL_read(impl_->tls.get(), part.data(), static_cast<int>(part.size()));
  if (size > 0) plain.insert(plain.end(), part.begin(), part.begin() + size);
  return impl_->step_after(size);
}

const TlsFacts& TlsClient::facts() const noexcept {
  return impl_->facts;
}

}  // namespace imprint::crypto
