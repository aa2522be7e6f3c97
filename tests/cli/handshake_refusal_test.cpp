// What `imprint handshake` says when there is no connection, the server is not the device's, or the
// image has nothing to connect with: one line each.

#include <chrono>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "handshake_fixture.hpp"
#include "support/loopback.hpp"

namespace imprint::cli::test {
namespace {

using imprint::test::free_port;
using imprint::test::openssl;
using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;
using testing::StartsWith;

/// Listens on 127.0.0.1: the system takes connections for it, and nobody ever says a word.
class SilentServer {
 public:
  SilentServer() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(fd_, any, size), 0);
    EXPECT_EQ(::getsockname(fd_, any, &size), 0);
    EXPECT_EQ(::listen(fd_, 8), 0);
    port_ = ntohs(address.sin_port);
  }

  SilentServer(const SilentServer&) = delete;
  SilentServer& operator=(const SilentServer&) = delete;

  ~SilentServer() { ::close(fd_); }

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

 private:
  int fd_;
  std::uint16_t port_ = 0;
};

class HandshakeRefusal : public HandshakeTest {
 protected:
  static constexpr const char* kCertificate = "/data/mender/mender-cert.pem";
  static constexpr const char* kKey = "/data/mender/mender-cert-private.pem";

  /// mender.conf of both roots.
  void configure(const std::string& text) const {
    folder_->write("conf", text);
    put("conf", "/etc/mender/mender.conf");
  }

  void configure_server(const std::string& more) const {
    configure(fmt::format(R"({{{}"HttpsClient": {{"Certificate": "{}", "Key": "{}"}},
        "Security": {{"AuthPrivateKey": "{}"}}}})",
                          more, kCertificate, kKey, kKey));
  }

  /// A certificate for the server instead of its own, by openssl.
  static void make_server(const std::string& ca, const std::string& names,
                          const std::string& days = "30") {
    openssl({"req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-subj", "/CN=edge", "-keyout", "server/mtls.example.com.key", "-out", "edge.csr",
             "-addext", "subjectAltName=" + names});
    openssl({"x509", "-req", "-in", "edge.csr", "-copy_extensions", "copy", "-CA",
             ca + "/ca-cert.pem", "-CAkey", ca + "/ca-private.key", "-days", days, "-out",
             "server/mtls.example.com.crt"});
  }

  /// Its one line, with exit status 2.
  [[nodiscard]] std::string bad_input(const std::vector<std::string>& arguments) const {
    const CommandResult result = imprint(arguments);
    EXPECT_EQ(result.status, 2) << result.out << result.err;
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, StartsWith("imprint: error: "));
    return result.err.substr(std::min<std::size_t>(16, result.err.size()));
  }
};

// --- no connection

TEST_F(HandshakeRefusal, NobodyListensThere) {
  port_ = free_port();
  EXPECT_EQ(refusal(4), fmt::format("connecting to '{0}': {0}: Connection refused (nobody listens "
                                    "there; check the port, and that the server runs)",
                                    edge()));
}

TEST_F(HandshakeRefusal, ThereIsNoSuchHost) {
  const CommandResult result =
      imprint({"handshake", "x.sdimg", "--edge", "no-such-host.invalid", "--timeout", "3"});
  EXPECT_EQ(result.status, 4);
  EXPECT_THAT(result.err,
              AnyOf(MatchesRegex("imprint: error: connecting to 'no-such-host.invalid:443': no "
                                 "address for 'no-such-host.invalid' .*; check the name, or give "
                                 "the address by --edge and the name by --server-name\n"),
                    "imprint: error: connecting to 'no-such-host.invalid:443': the name is not "
                    "resolved in time; look at the name server, or give more --timeout\n"));
}

TEST_F(HandshakeRefusal, ASilentServerIsWaitedForNoLongerThanSaid) {
  const SilentServer server;
  port_ = server.port();
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(refusal(4, {"--timeout", "1"}),
            fmt::format("'{0}' ({0}): no answer to the TLS handshake in time; is it a TLS server? "
                        "If it is slow, give more --timeout",
                        edge()));
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(20));
}

TEST_F(HandshakeRefusal, AnAddressThatSwallowsEverythingIsGivenUp) {
  // TEST-NET-1 (RFC 5737): nowhere. Some networks say so at once.
  const CommandResult result =
      imprint({"handshake", "x.sdimg", "--edge", "192.0.2.1", "--timeout", "1"});
  EXPECT_EQ(result.status, 4);
  EXPECT_THAT(result.err, MatchesRegex("imprint: error: connecting to '192.0.2.1:443': "
                                       "192.0.2.1:443: .* \\(.*check the .*\\)\n"));
}

TEST_F(HandshakeRefusal, TheServerFallsSilentAfterTheHandshake) {
  IMPRINT_NEED_COMMAND("nginx");
  const SilentServer behind;
  start_nginx(
      fmt::format("listen 127.0.0.1:PORT ssl;\n"
                  "ssl_certificate server/mtls.example.com.crt;\n"
                  "ssl_certificate_key server/mtls.example.com.key;\n"
                  "ssl_client_certificate ca/ca-cert.pem;\nssl_verify_client on;\n"
                  "location / {{ proxy_pass http://127.0.0.1:{}; }}",
                  behind.port()));
  EXPECT_EQ(refusal(4, {"--timeout", "3"}),
            fmt::format("'{0}' ({0}): the handshake is done, but no answer to a request comes in "
                        "time; look at the server, or give more --timeout",
                        edge()));
}

TEST_F(HandshakeRefusal, TheServerHangsUpAfterTheHandshake) {
  // Without -www it sends what is typed, of which the end comes at once.
  start({"openssl", "s_server", "-accept", "127.0.0.1:PORT", "-cert", "server/mtls.example.com.crt",
         "-key", "server/mtls.example.com.key", "-CAfile", "ca/ca-cert.pem", "-Verify", "4",
         "-quiet"});
  EXPECT_EQ(refusal(1),
            fmt::format("'{}': the server ended the connection instead of answering (connection "
                        "closed without a word); the server's log says why (a CA it does not know, "
                        "revoked, an intermediate CA that its file lacks)",
                        edge()));
}

TEST_F(HandshakeRefusal, ThereIsNoTls) {
  IMPRINT_NEED_COMMAND("nginx");
  start_nginx("listen 127.0.0.1:PORT;");
  EXPECT_EQ(refusal(4), fmt::format("'{0}' ({0}): it does not speak TLS; check the port", edge()));
}

TEST_F(HandshakeRefusal, TheServerSpeaksNoTlsOfToday) {
  start_openssl({"-tls1_1", "-cipher", "ALL:@SECLEVEL=0"});
  EXPECT_THAT(refusal(1), HasSubstr("TLS alert 'protocol version'"));
}

TEST_F(HandshakeRefusal, TheAnswerIsNoHttp) {
  start({"openssl", "s_server", "-accept", "127.0.0.1:PORT", "-cert", "server/mtls.example.com.crt",
         "-key", "server/mtls.example.com.key", "-CAfile", "ca/ca-cert.pem", "-Verify", "4",
         "-rev"});
  EXPECT_EQ(
      refusal(1),
      fmt::format("'{}': the server answered with something that is not HTTP: is it the edge?",
                  edge()));
}

// --- another server than the device's

TEST_F(HandshakeRefusal, AServerOfAnUnknownCa) {
  done({"ca", "init", "other", "--cn", "Other CA"});
  make_server("other", "DNS:mtls.example.com");
  start_openssl();
  EXPECT_EQ(refusal(1),
            fmt::format("'{}': the device does not trust the server: its certificate 'CN=edge' is "
                        "signed by 'CN=Other CA', and the image trusts '/etc/mender/server.crt' "
                        "(CN=Device CA) and no CAs of the system; put the server's CA into the "
                        "image as 'ServerCertificate'",
                        edge()));
  configure_server(R"("ServerURL": "https://mtls.example.com", )");
  EXPECT_THAT(refusal(1), HasSubstr("and the image trusts no 'ServerCertificate' and no CAs of the "
                                    "system; put the server's CA into the image"));
  done({"mkdir", "-p", "x.sdimg:/etc/ssl/certs"});
  put("ca/ca-cert.pem", "/etc/ssl/certs/ca-certificates.crt");
  EXPECT_THAT(refusal(1), HasSubstr("no 'ServerCertificate' and 1 CAs of the system;"));
}

TEST_F(HandshakeRefusal, AServerCertificateThatCannotBeLoadedIsWarnedOf) {
  start_openssl();
  folder_->write("garbage", "no certificate\n");
  put("garbage", "/etc/mender/server.crt");
  const Json record = shake_json(1)[0];
  EXPECT_EQ(record.at("verdict"), "server not trusted");
  EXPECT_EQ(record.at("warnings"),
            Json::array({"'ServerCertificate' '/etc/mender/server.crt' cannot be loaded, and the "
                         "client goes on without it: holds no certificate in PEM form"}));
  EXPECT_THAT(record.at("reason"),
              HasSubstr("the image trusts '/etc/mender/server.crt' (which cannot be loaded) and"));
  done({"rm", "x.sdimg:/etc/mender/server.crt"});
  EXPECT_THAT(shake_json(1)[0].at("warnings").dump(),
              HasSubstr("cannot be loaded, and the client"));
}

TEST_F(HandshakeRefusal, AServerOfAnotherName) {
  make_server("ca", "DNS:a.example.com,DNS:b.example.com");
  start_openssl();
  EXPECT_EQ(refusal(1),
            fmt::format("'{}': the device does not trust the server: its certificate 'CN=edge' is "
                        "for DNS:a.example.com, DNS:b.example.com, not for 'mtls.example.com'; say "
                        "the right name (--server-name, or ServerURL in the image)",
                        edge()));
  const CommandResult by_address = imprint({"handshake", "x.sdimg", "--edge", edge()});
  EXPECT_EQ(by_address.status, 1);
  EXPECT_THAT(by_address.err, HasSubstr("b.example.com, not for '127.0.0.1'; say the right name"));
}

TEST_F(HandshakeRefusal, AServerWhoseCertificateHasEnded) {
  make_server("ca", "DNS:mtls.example.com", "-1");
  start_openssl();
  EXPECT_THAT(refusal(1),
              MatchesRegex("'.*': the device does not trust the server: its certificate 'CN=edge' "
                           "ended on 20[0-9TZ:-]+; renew it"));
}

TEST_F(HandshakeRefusal, AServerWithADevicesCertificate) {
  done({"ca", "issue-device", "ca", "--id", "device", "--output", "devices"});
  fs::copy_file("devices/device.crt", "server/mtls.example.com.crt",
                fs::copy_options::overwrite_existing);
  fs::copy_file("devices/device.key", "server/mtls.example.com.key",
                fs::copy_options::overwrite_existing);
  start_openssl();
  EXPECT_THAT(refusal(1), HasSubstr("the device does not trust the server: its certificate "
                                    "'CN=device' does not verify: unsuitable certificate purpose"));
}

// --- nothing to connect with

TEST_F(HandshakeRefusal, AnImageWithoutIdentity) {
  configure(R"({"ServerURL": "https://mtls.example.com"})");
  EXPECT_EQ(bad_input({"handshake", "x.sdimg"}),
            "'x.sdimg': rootfs A (partition 2): mender.conf has no 'HttpsClient', so that the "
            "client has no certificate to show; give the image an identity (imprint inject)\n");
}

TEST_F(HandshakeRefusal, BWithoutIdentityIsNamed) {
  folder_->write("conf", R"({"ServerURL": "https://mtls.example.com"})");
  put("conf", "/etc/mender/mender.conf", "b");
  EXPECT_THAT(bad_input({"handshake", "x.sdimg"}),
              StartsWith("'x.sdimg': rootfs B (partition 3): mender.conf has no 'HttpsClient'"));
}

TEST_F(HandshakeRefusal, FilesThatAreNotThere) {
  done({"rm", std::string("x.sdimg:") + kCertificate});
  EXPECT_EQ(bad_input({"handshake", "x.sdimg"}),
            "'x.sdimg': rootfs A (partition 2): 'HttpsClient.Certificate' names "
            "'/data/mender/mender-cert.pem', which is not in the image; give the image an identity "
            "(imprint inject) or mend mender.conf\n");
  configure(fmt::format(R"({{"HttpsClient": {{"Certificate": "{}"}}}})", kCertificate));
  EXPECT_THAT(bad_input({"handshake", "x.sdimg"}),
              HasSubstr("'HttpsClient.Certificate' is set, 'HttpsClient.Key' is not: clients need "
                        "both or none"));
}

TEST_F(HandshakeRefusal, FilesThatHoldSomethingElse) {
  put(std::string("ca/ca-cert.pem"), kKey);
  EXPECT_EQ(bad_input({"handshake", "x.sdimg"}),
            "'x.sdimg': rootfs A (partition 2): '/data/mender/mender-cert-private.pem': holds no "
            "private key, but a 'CERTIFICATE'\n");
  folder_->write("garbage", "nothing\n");
  put("garbage", kCertificate);
  EXPECT_EQ(bad_input({"handshake", "x.sdimg"}),
            "'x.sdimg': rootfs A (partition 2): '/data/mender/mender-cert.pem': holds no "
            "certificate in PEM form\n");
}

TEST_F(HandshakeRefusal, AKeyOfAnotherDevice) {
  done({"ca", "issue-device", "ca", "--id", "unit-2", "--output", "devices"});
  put("devices/unit-2.key", kKey);
  EXPECT_EQ(bad_input({"handshake", "x.sdimg"}),
            "'x.sdimg': rootfs A (partition 2): the key in '/data/mender/mender-cert-private.pem' "
            "does not belong to the certificate in '/data/mender/mender-cert.pem' (CN=unit-1); "
            "give the image a matching pair (imprint inject)\n");
}

TEST_F(HandshakeRefusal, AnEncryptedKey) {
  const std::string key = folder_->oracle().cat(4, "/mender/mender-cert-private.pem");
  folder_->write("encrypted", openssl({"pkcs8", "-topk8", "-passout", "pass:secret"}, key));
  put("encrypted", kKey);
  EXPECT_EQ(bad_input({"handshake", "x.sdimg"}),
            "'x.sdimg': rootfs A (partition 2): the key in '/data/mender/mender-cert-private.pem' "
            "is encrypted, and clients know no passphrase for it; store it unencrypted\n");
}

TEST_F(HandshakeRefusal, AKeyInATokenIsNotTold) {
  configure(fmt::format(R"({{"HttpsClient": {{"Certificate": "{}",
      "Key": "pkcs11:object=k?pin-value=1234"}}}})",
                        kCertificate));
  EXPECT_EQ(bad_input({"handshake", "x.sdimg"}),
            "'x.sdimg': rootfs A (partition 2): 'HttpsClient.Key' names no file of the image (a "
            "token, perhaps): only a device that has it can make this connection\n");
}

TEST_F(HandshakeRefusal, AServerThatCannotBeAsked) {
  configure_server("");
  EXPECT_EQ(bad_input({"handshake", "x.sdimg"}),
            "rootfs A (partition 2): mender.conf names no server; say where it is with --edge "
            "HOST:PORT\n");
  configure_server(R"("ServerURL": "http://mtls.example.com", )");
  EXPECT_EQ(bad_input({"handshake", "x.sdimg"}),
            "rootfs A (partition 2): the server's URL in mender.conf: it is http://, so that the "
            "client shows no certificate; set https:// in mender.conf\n");
  configure_server(R"("ServerURL": "https://a.example", "Servers": [], )");
  EXPECT_THAT(bad_input({"handshake", "x.sdimg"}),
              HasSubstr("clients refuse the two together, remove one"));
  configure("{ \"ServerURL\": ");
  EXPECT_THAT(bad_input({"handshake", "x.sdimg"}),
              StartsWith("'x.sdimg': rootfs A (partition 2): '/etc/mender/mender.conf': line 1"));
}

TEST_F(HandshakeRefusal, OptionsThatAreNone) {
  EXPECT_EQ(bad_input({"handshake", "x.sdimg", "--edge", "https://mtls.example.com"}),
            "--edge: 'https://mtls.example.com' is a URL; give HOST:PORT alone\n");
  EXPECT_EQ(bad_input({"handshake", "x.sdimg", "--server-name", "a.example:443"}),
            "--server-name: 'a.example:443' has a port; give the name alone\n");
  EXPECT_EQ(bad_input({"handshake", "x.sdimg", "--rootfs", "c"}),
            "--rootfs: 'c' is none of a, b, both\n");
  EXPECT_THAT(bad_input({"handshake", "x.sdimg", "--timeout", "0"}), HasSubstr("--timeout"));
  EXPECT_THAT(bad_input({"handshake", "x.sdimg", "--client", "1"}), HasSubstr("--client"));
  EXPECT_THAT(bad_input({"handshake", "none.sdimg"}), HasSubstr("'none.sdimg'"));
  EXPECT_THAT(bad_input({"handshake", "ca/ca-cert.pem"}), HasSubstr("ca/ca-cert.pem"));
}

TEST_F(HandshakeRefusal, AKeyTooSmallIsSaid) {
  openssl({"req", "-x509", "-newkey", "rsa:1024", "-nodes", "-subj", "/CN=weak", "-keyout",
           "weak.key", "-out", "weak.crt"});
  put("weak.crt", kCertificate);
  put("weak.key", kKey);
  EXPECT_THAT(bad_input({"handshake", "x.sdimg"}),
              AllOf(HasSubstr("rootfs A (partition 2): the certificate 'CN=weak' cannot be used: "),
                    HasSubstr("ee key too small"), Not(HasSubstr("PRIVATE KEY"))));
}

}  // namespace
}  // namespace imprint::cli::test
