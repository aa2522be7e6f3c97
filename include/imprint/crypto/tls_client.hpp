#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "imprint/base/bytes.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/certificate.hpp"
#include "imprint/crypto/key.hpp"

namespace imprint::crypto {

/// What a TLS client shows and what it demands. Everything is copied, or counted, by the client.
struct TlsClientSettings {
  /// Host name, or IP address without brackets: sent to the server (SNI), and looked for in its
  /// certificate.
  std::string server_name;
  /// The client's own first. Others behind it are sent as they are. With its own alone, OpenSSL
  /// adds those of `trusted` that lead from it to a root, as it does in every program that says
  /// nothing about it.
  std::span<const Certificate> certificates;
  const PrivateKey& key;  ///< of the first of them
  std::span<const Certificate> trusted;
  bool verify_server = true;  ///< false: goes on whoever it is
};

/// Why a server's certificate was not trusted.
enum class TlsDistrust { none, issuer, name, expired, not_yet_valid, other };

/// What has been seen on a connection so far.
struct TlsFacts {
  std::string version;                    ///< `TLSv1.3`; empty: the server has not said hello
  std::string cipher;                     ///< empty: none yet
  std::vector<Certificate> server_chain;  ///< as it was sent, the server's own first
  std::optional<Certificate> anchor;      ///< of `trusted`, with which it was verified
  TlsDistrust distrust = TlsDistrust::none;
  std::string distrust_reason;         ///< OpenSSL's; empty: it was verified, or not yet seen
  bool certificate_requested = false;  ///< from the client
  std::vector<std::string> requested_authorities;  ///< names of CAs whose clients are wanted
  bool certificate_message_sent = false;
  std::vector<Certificate> certificates_sent;  ///< empty with the message: sent that it has none
  bool finished = false;                       ///< the handshake, on this side
  std::optional<std::uint8_t> alert;           ///< fatal one that the server sent (RFC 8446, 6.2)
  std::string failure;                         ///< OpenSSL's words when it gave up
};

/// The name of an alert, as RFC 8446 has it with spaces: `certificate expired`; `alert 200` for one
/// without.
[[nodiscard]] std::string tls_alert_name(std::uint8_t alert);

enum class TlsStep {
  done,
  wants_input,  ///< give it what the server sends next
  closed,       ///< the server has ended the connection in order
  failed,       ///< for the reasons in the facts; nothing goes any more
};

/// The client's side of one TLS connection (1.2 or 1.3), without the network: what comes from the
/// server is put in, what is for it taken out, also after a failure (an alert). One thread at a
/// time. The key is used where it is and leaves no trace in what the client says.
class TlsClient {
 public:
  /// Code::crypto, with OpenSSL's reason, for a certificate that OpenSSL does not use (a key too
  /// small, a digest too weak, another key than the private one).
  static Result<TlsClient> make(const TlsClientSettings& settings);
  TlsClient(TlsClient&&) noexcept;
  TlsClient& operator=(TlsClient&&) noexcept;
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;
  ~TlsClient();

  void put_received(ByteView from_server);
  /// Nothing more will come.
  void put_end();
  [[nodiscard]] Bytes take_to_send();

  TlsStep handshake();
  /// After the handshake. All or nothing.
  TlsStep write(ByteView plain);
  /// After the handshake: appends what there is; `done` when that was something.
  TlsStep read(Bytes& plain);

  [[nodiscard]] const TlsFacts& facts() const noexcept;

 private:
  struct Impl;
  explicit TlsClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace imprint::crypto
