#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "support/process.hpp"
#include "support/temp_dir.hpp"

namespace imprint::test {

/// Who judges the client's certificate.
enum class TlsJudge { nginx, openssl };

/// The program that has to be installed: `nginx`, `openssl`.
[[nodiscard]] const char* program(TlsJudge judge) noexcept;

/// What a server that asks for client certificates is told. All files PEM.
struct TlsServerFiles {
  std::filesystem::path certificate;  ///< the server's, followed by its chain
  std::filesystem::path key;
  /// CAs whose clients are let in, up to a root. Empty, with nginx: nobody is asked.
  std::filesystem::path client_ca;
  /// CRLs, one of each CA in the chain (both judges look at all of them). None: nothing is revoked.
  std::optional<std::filesystem::path> crl = std::nullopt;
};

/// A server on a free port of 127.0.0.1 that serves a page to clients whose certificate it accepts.
/// Runs as whoever runs the tests, with its files in a directory of its own; ended when it goes out
/// of scope.
class TlsServer {
 public:
  /// A server that does not come up is a test failure that shows its log.
  TlsServer(TlsJudge judge, const TlsServerFiles& files);

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

  /// What it has written so far: why it has refused somebody.
  [[nodiscard]] std::string log() const;

 private:
  bool start(TlsJudge judge, const TlsServerFiles& files);

  TempDir dir_;
  std::uint16_t port_ = 0;
  std::unique_ptr<Process> process_;
};

struct TlsClientFiles {
  std::filesystem::path certificate;
  std::filesystem::path key;
  std::filesystem::path server_ca;  ///< what the client trusts
  std::string host = "localhost";   ///< has to stand in the server's certificate
};

struct TlsAnswer {
  bool accepted = false;  ///< the page came
  std::string said;       ///< HTTP status and curl's message
};

/// Asks for the page with curl. nginx lets the handshake pass and answers 400 to those that it
/// refuses; openssl ends the connection.
[[nodiscard]] TlsAnswer ask(const TlsServer& server, const TlsClientFiles& client);

}  // namespace imprint::test
