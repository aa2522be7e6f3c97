#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "imprint/base/clock.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/certificate.hpp"
#include "imprint/image/file_systems.hpp"

/// The TLS connection that an image's client would make, made with what the image holds.
namespace imprint::handshake {

/// Which generation of the Mender client to do as. They differ in what they send of a certificate
/// file: from 4.0 on its first certificate, before that all of them.
enum class Client { current, before_4 };

struct Options {
  std::string image = {};           ///< for messages
  std::optional<std::string> edge;  ///< `HOST[:PORT]`; none: the image's own server
  /// Sent and looked for in the server's certificate; none: the host of `edge` or of the image.
  std::optional<std::string> server_name;
  Client client = Client::current;
  std::chrono::milliseconds timeout = std::chrono::seconds(10);  ///< all of one connection
  TimePoint now =
      {};  ///< for hints alone; the server's certificate is judged by the system's clock
};

enum class Verdict {
  accepted,
  refused,    ///< the server ended the connection, or answered that it refuses the certificate
  not_asked,  ///< the server wanted no certificate, so that it proves nothing
  untrusted,  ///< the device would not go on: the server is not the one it trusts
};

/// The words of JSON: `accepted`, `refused`, `not asked`, `server not trusted`.
[[nodiscard]] std::string_view word(Verdict verdict) noexcept;

/// What was sent and what came back.
struct Report {
  std::vector<std::string> roots;  ///< whose configuration it is: `rootfs A (partition 2)`
  std::string server;              ///< `mtls.example.com:443`
  std::string address;             ///< `192.0.2.7:443`
  std::string server_name;
  std::string tls_version;
  std::string cipher;
  std::optional<crypto::Certificate> server_certificate;
  std::string verified_by;            ///< in words; also why it was not
  bool asked = false;                 ///< for a certificate
  std::vector<std::string> asked_of;  ///< CAs that the server named; none: it named none
  crypto::Certificate identity;       ///< the image's certificate
  std::vector<crypto::Certificate> sent;
  std::string answer;  ///< what the server said last, in words
  Verdict verdict = Verdict::refused;
  std::string reason;                 ///< of every verdict but `accepted`, with what to do
  std::vector<std::string> warnings;  ///< about the configuration, one line each
};

/// Connects as the client of an image with these root file systems would, once for each
/// configuration that they have: B's counts only where it differs from A's. Asks the server for a
/// page that no server has, and for nothing that would change anything there.
///
/// Code::invalid_input (or not_found, corrupt) for an image whose client would not get as far as
/// connecting, or options that are none; Code::io when no TLS connection came about, or no answer
/// in time. The private key stays in memory that is wiped, and goes nowhere.
[[nodiscard]] Result<std::vector<Report>> shake_hands(std::vector<image::FileSystems::Root>& roots,
                                                      const Options& options);

}  // namespace imprint::handshake
