#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "batch_fixture.hpp"
#include "files_fixture.hpp"
#include "support/process.hpp"

namespace imprint::cli::test {

/// An image with an identity, `x.sdimg`, that asks `https://mtls.example.com` and trusts the CA in
/// `ca` for it; that CA has issued the identity, and the server's certificate in `server`. Servers
/// of other people to try it on.
class HandshakeTest : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  static std::string done(const std::vector<std::string>& arguments);

  /// The identity of x.sdimg from now on: `CN=NAME`, by this CA, with this kind of key.
  static void give_identity(const std::string& ca, const std::string& name,
                            const std::string& key = "ec:P-256");
  /// A file of this machine into the image, over what is there.
  static void put(const std::string& file, const std::string& path,
                  const std::string& rootfs = "both");

  /// A server that says something on a port of 127.0.0.1, which is put for PORT in its arguments.
  /// The former one is ended.
  void start(std::vector<std::string> command);
  /// `openssl s_server` with the server's certificate, which wants client certificates of ca/.
  void start_openssl(const std::vector<std::string>& more = {}, const std::string& ca_file = "");
  /// nginx with this server block, PORT and its files as above.
  void start_nginx(const std::string& server_block);
  void stop();

  [[nodiscard]] std::string server_log() const { return slurp("server.log"); }

  /// `imprint handshake x.sdimg` to the server, which has to prove that it is mtls.example.com.
  [[nodiscard]] CommandResult shake(const std::vector<std::string>& more = {}) const;
  /// The same with the status that is expected; the records of its handshakes.
  [[nodiscard]] Json shake_json(int status, const std::vector<std::string>& more = {}) const;
  /// One that has to be refused: its one line on standard error without what begins every one.
  [[nodiscard]] std::string refusal(int status, const std::vector<std::string>& more = {}) const;

  [[nodiscard]] std::string edge() const;

  std::optional<FilesFolder> folder_;
  std::uint16_t port_ = 0;
  std::unique_ptr<imprint::test::Process> server_;
};

}  // namespace imprint::cli::test
