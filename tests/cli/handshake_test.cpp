// `imprint handshake` with servers that others wrote: nginx with the edge's own configuration,
// OpenSSL's and GnuTLS's. Whom they let in and whom they refuse, and what is said of it.

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "handshake_fixture.hpp"
#include "support/loopback.hpp"
#include "support/tls_server.hpp"

namespace imprint::cli::test {
namespace {

using imprint::test::free_port;
using imprint::test::openssl;
using imprint::test::sha256_of_file;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class Handshake : public HandshakeTest {
 protected:
  /// nginx with the bundle of `imprint edge` for this CA. Nobody is behind it.
  void start_edge(const std::string& ca) {
    stop();
    port_ = free_port();
    done({"edge", "--ca", ca, "--cn", "mtls.example.com", "--force", "--listen", edge(),
          "--backend", fmt::format("http://127.0.0.1:{}", free_port())});
    run_edge();
  }

  /// Again, after a refresh.
  void run_edge() {
    stop();
    server_ = std::make_unique<imprint::test::Process>(
        std::vector<std::string>{(fs::current_path() / "edge/run-nginx.sh").string()},
        "server.log");
    ASSERT_TRUE(imprint::test::wait_until(
        [this] { return !server_->running() || imprint::test::answers(port_); }));
    ASSERT_TRUE(server_->running()) << server_log();
  }

  static std::string fact(const std::string& out, const std::string& label) {
    const std::string begin = fmt::format("\n  {:<19} ", label);
    const std::size_t at = out.find(begin);
    if (at == std::string::npos) return "(none)";
    const std::size_t from = at + begin.size();
    return out.substr(from, out.find('\n', from) - from);
  }
};

TEST_F(Handshake, TheEdgeOfARootLetsInEveryKindOfKeyAndSaysWhy) {
  IMPRINT_NEED_COMMAND("nginx");
  start_edge("ca");
  const CommandResult first = shake();
  EXPECT_EQ(first.status, 0) << first.err << server_log();
  EXPECT_THAT(first.out, StartsWith("x.sdimg: accepted\n"));
  EXPECT_EQ(fact(first.out, "configuration"), "rootfs A (partition 2), rootfs B (partition 3)");
  EXPECT_EQ(fact(first.out, "server"), fmt::format("{0} ({0}), as mtls.example.com", edge()));
  EXPECT_THAT(fact(first.out, "connection"), StartsWith("TLSv1.3, TLS_"));
  EXPECT_THAT(fact(first.out, "server certificate"), StartsWith("CN=mtls.example.com, until 20"));
  EXPECT_EQ(fact(first.out, "verified by"), "CN=Device CA of '/etc/mender/server.crt'");
  EXPECT_EQ(fact(first.out, "asked"), "for a certificate of: CN=Device CA");
  EXPECT_THAT(fact(first.out, "sent"), StartsWith("CN=unit-1, serial "));
  EXPECT_EQ(fact(first.out, "came back"), "HTTP 502 Bad Gateway");
  EXPECT_EQ(fact(first.out, "warning"),
            "the edge lets the device in, but answers HTTP 502 Bad Gateway: look at the server "
            "behind it");
  EXPECT_EQ(first.err, "");
  for (const char* key : {"rsa:2048", "ed25519", "ec:P-384"}) {
    give_identity("ca", "unit-2", key);
    EXPECT_EQ(shake().status, 0) << key << server_log();
    fs::remove_all("devices");
  }
}

TEST_F(Handshake, TheEdgeOfARootRefusesOthers) {
  IMPRINT_NEED_COMMAND("nginx");
  start_edge("ca");
  done({"ca", "init", "other", "--cn", "Other CA"});
  give_identity("other", "foreign");
  EXPECT_EQ(refusal(1),
            fmt::format("'{}': the server refuses the certificate: HTTP 400 Bad Request, '400 The "
                        "SSL certificate error'; it is issued by 'CN=Other CA', which is none of "
                        "the CAs that the server asks for: give the server that CA's certificate "
                        "too (gateway-ca.pem)",
                        edge()));
  give_identity("ca", "stolen");
  EXPECT_EQ(shake().status, 0);
  done({"ca", "revoke", "ca", "--id", "stolen"});
  done({"edge", "--ca", "ca", "--refresh"});
  run_edge();
  EXPECT_EQ(refusal(1),
            fmt::format("'{}': the server refuses the certificate: HTTP 400 Bad Request, '400 The "
                        "SSL certificate error'; the server's log says why (a CA it does not know, "
                        "revoked, an intermediate CA that its file lacks)",
                        edge()));
}

TEST_F(Handshake, TheEdgeOfAnIntermediateGoesByItsListOfSerials) {
  IMPRINT_NEED_COMMAND("nginx");
  done({"ca", "init", "line", "--cn", "Line 1", "--parent", "ca"});
  give_identity("line", "stolen");
  start_edge("line");
  EXPECT_EQ(shake_json(0)[0].at("sent").size(), 1U);
  done({"ca", "revoke", "line", "--id", "stolen"});
  done({"edge", "--ca", "line", "--refresh"});
  run_edge();
  const Json record = shake_json(1)[0];
  EXPECT_EQ(record.at("verdict"), "refused");
  EXPECT_EQ(record.at("came_back"), "HTTP 403 Forbidden, 'certificate revoked'");
}

TEST_F(Handshake, AServerThatAsksForNoCertificateProvesNothing) {
  IMPRINT_NEED_COMMAND("nginx");
  const imprint::test::TlsServer server(imprint::test::TlsJudge::nginx,
                                        {.certificate = "server/mtls.example.com.crt",
                                         .key = "server/mtls.example.com.key",
                                         .client_ca = {}});
  port_ = server.port();
  EXPECT_EQ(refusal(1),
            fmt::format("'{}': the server asked for no certificate, so that it proves nothing: is "
                        "it the edge, and does it demand certificates (nginx: ssl_verify_client "
                        "on)?",
                        edge()));
  const Json record = shake_json(1)[0];
  EXPECT_EQ(record.at("verdict"), "not asked");
  EXPECT_EQ(record.at("asked"), false);
  EXPECT_EQ(record.at("sent"), Json::array());
  EXPECT_EQ(record.at("came_back"), "HTTP 200 OK");
}

TEST_F(Handshake, OpensslSaysByAlertWhomItRefuses) {
  done({"ca", "init", "other", "--cn", "Other CA"});
  done({"ca", "issue-device", "ca", "--id", "stolen", "--output", "devices"});
  done({"ca", "revoke", "ca", "--id", "stolen"});
  done({"ca", "crl", "ca", "--output", "ca.crl"});
  openssl({"req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
           "/CN=expired", "-keyout", "expired.key", "-out", "expired.csr"});
  openssl({"x509", "-req", "-in", "expired.csr", "-CA", "ca/ca-cert.pem", "-CAkey",
           "ca/ca-private.key", "-days", "-1", "-out", "expired.crt"});
  done({"ca", "issue-device", "other", "--id", "foreign", "--output", "devices"});
  for (const char* version : {"-tls1_2", "-tls1_3"}) {
    SCOPED_TRACE(version);
    const auto with = [](const std::string& name) {
      put(name + ".crt", "/data/mender/mender-cert.pem");
      put(name + ".key", "/data/mender/mender-cert-private.pem");
    };
    start_openssl({version});
    with("devices/foreign");
    EXPECT_THAT(refusal(1),
                AllOf(StartsWith(fmt::format("'{}': the server refuses the certificate: "
                                             "TLS alert 'unknown CA'; ",
                                             edge())),
                      HasSubstr("it is issued by 'CN=Other CA', which is none of")));
    with("expired");
    EXPECT_THAT(refusal(1),
                testing::MatchesRegex(".* TLS alert 'certificate expired'; the certificate ended "
                                      "on 20[0-9TZ:-]+: give the image a new identity"));
    start_openssl({version, "-CRL", "ca.crl", "-crl_check"});
    with("devices/stolen");
    EXPECT_THAT(refusal(1),
                HasSubstr("TLS alert 'certificate revoked'; the server has it on its list of "
                          "revoked certificates: give the image a new identity"));
    give_identity("ca", fmt::format("good{}", version));
    const Json good = shake_json(0)[0];
    EXPECT_EQ(good.at("verdict"), "accepted");
    EXPECT_EQ(good.at("came_back"), "HTTP 200 ok");
    EXPECT_EQ(good.at("tls_version"), std::string(version) == "-tls1_2" ? "TLSv1.2" : "TLSv1.3");
  }
}

TEST_F(Handshake, SaysThatNoCertificateFits) {
  give_identity("ca", "ed", "ed25519");
  start_openssl({"-client_sigalgs", "ECDSA+SHA256"});
  const Json record = shake_json(1)[0];
  EXPECT_EQ(record.at("verdict"), "refused");
  EXPECT_EQ(record.at("asked"), true);
  EXPECT_EQ(record.at("sent"), Json::array());
  EXPECT_EQ(record.at("came_back"), "TLS alert 'certificate required'");
  EXPECT_THAT(record.at("reason"),
              HasSubstr("no certificate was sent, because the server takes no signatures of its "
                        "kind of key: issue it with another"));
}

TEST_F(Handshake, SendsTheNameAndSaysWhenTheServerHasAnother) {
  start_openssl({"-servername", "mtls.example.com", "-servername_fatal", "-cert2",
                 "server/mtls.example.com.crt", "-key2", "server/mtls.example.com.key"});
  EXPECT_EQ(shake().status, 0) << server_log();
  const CommandResult other =
      imprint({"handshake", "x.sdimg", "--edge", edge(), "--server-name", "other.example.com"});
  EXPECT_EQ(other.status, 1);
  EXPECT_THAT(other.err, HasSubstr("the server ended the handshake before it asked for a "
                                   "certificate: TLS alert 'unrecognized name'; its log says why"));
}

/// Where the server has the root alone, the intermediate has to come with the handshake.
TEST_F(Handshake, ClientsBeforeFourSendAllCertificatesOfTheFile) {
  done({"ca", "init", "line", "--cn", "Line 1", "--parent", "ca"});
  done({"ca", "issue-device", "line", "--id", "unit", "--output", "devices"});
  folder_->write("chain.pem", slurp("devices/unit.crt") + slurp("line/ca-cert.pem"));
  put("chain.pem", "/data/mender/mender-cert.pem");
  put("devices/unit.key", "/data/mender/mender-cert-private.pem");
  start_openssl();
  EXPECT_THAT(refusal(1), HasSubstr("TLS alert 'unknown CA'"));
  EXPECT_EQ(shake_json(1)[0].at("sent").size(), 1U);
  const Json chain = shake_json(0, {"--client", "3"})[0].at("sent");
  ASSERT_EQ(chain.size(), 2U);
  EXPECT_EQ(chain[0].at("subject"), "CN=unit");
  EXPECT_EQ(chain[1].at("subject"), "CN=Line 1");
  start_openssl({}, "line/gateway-ca.pem");
  EXPECT_EQ(shake_json(0)[0].at("sent").size(), 1U);
}

/// OpenSSL, which the client leaves to itself there, finds the way from the certificate to a root
/// among those that are there to verify the server. Its own client does the same.
TEST_F(Handshake, TheIntermediateInServerCertificateIsSentToo) {
  done({"ca", "init", "line", "--cn", "Line 1", "--parent", "ca"});
  give_identity("line", "unit");
  start_openssl();
  EXPECT_EQ(shake().status, 1);
  put("line/gateway-ca.pem", "/etc/mender/server.crt");
  const Json record = shake_json(0)[0];
  ASSERT_EQ(record.at("sent").size(), 3U);
  EXPECT_EQ(record.at("sent")[1].at("subject"), "CN=Line 1");
  EXPECT_EQ(record.at("sent")[2].at("subject"), "CN=Device CA");
  const CommandResult client =
      run_command({"openssl", "s_client", "-connect", edge(), "-CAfile", "line/gateway-ca.pem",
                   "-cert", "devices/unit.crt", "-key", "devices/unit.key", "-msg", "-ign_eof"},
                  "GET / HTTP/1.0\r\n\r\n");
  EXPECT_THAT(client.out, HasSubstr("HTTP/1.0 200 ok")) << client.err;
}

TEST_F(Handshake, TheImagesOwnServerIsTheDefault) {
  start_openssl();
  folder_->write("conf", fmt::format(R"({{"Servers": [{{"ServerURL": "https://127.0.0.1:{}/x"}}],
      "ServerCertificate": "/etc/mender/server.crt", "HttpsClient": {{
      "Certificate": "/data/mender/mender-cert.pem",
      "Key": "/data/mender/mender-cert-private.pem"}}, "Security": {{
      "AuthPrivateKey": "/data/mender/mender-cert-private.pem"}}}})",
                                     port_));
  put("conf", "/etc/mender/mender.conf");
  const CommandResult result = imprint({"handshake", "x.sdimg"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(fact(result.out, "server"), fmt::format("{0} ({0}), as 127.0.0.1", edge()));
}

TEST_F(Handshake, AnIPv6AddressIsReached) {
  if (slurp("/proc/net/if_inet6").find("00000000000000000000000000000001") == std::string::npos)
    GTEST_SKIP() << "needs IPv6 on the loopback";
  port_ = free_port();
  const std::string there = fmt::format("[::1]:{}", port_);
  server_ = std::make_unique<imprint::test::Process>(
      std::vector<std::string>{imprint::test::program_path("openssl"), "s_server", "-6", "-accept",
                               there, "-cert", "server/mtls.example.com.crt", "-key",
                               "server/mtls.example.com.key", "-CAfile", "ca/ca-cert.pem",
                               "-Verify", "4", "-www"},
      "server.log");
  CommandResult result;
  ASSERT_TRUE(imprint::test::wait_until([&] {
    result =
        imprint({"handshake", "x.sdimg", "--edge", there, "--server-name", "mtls.example.com"});
    return result.status != 4 || !server_->running();
  })) << result.err;
  EXPECT_EQ(result.status, 0) << result.err << server_log();
  EXPECT_EQ(fact(result.out, "server"), fmt::format("{0} ({0}), as mtls.example.com", there));
}

TEST_F(Handshake, RootsThatDifferAreTriedBoth) {
  start_openssl();
  folder_->write("b.conf", R"({"ServerURL": "https://b.example.com",
      "HttpsClient": {"Certificate": "/data/mender/mender-cert.pem",
      "Key": "/data/mender/mender-cert-private.pem"}})");
  put("b.conf", "/etc/mender/mender.conf", "b");
  const Json both = shake_json(1);
  ASSERT_EQ(both.size(), 2U);
  EXPECT_EQ(both[0].at("verdict"), "accepted");
  EXPECT_EQ(both[0].at("configurations"), Json::array({"rootfs A (partition 2)"}));
  EXPECT_EQ(both[1].at("verdict"), "server not trusted");
  EXPECT_EQ(both[1].at("configurations"), Json::array({"rootfs B (partition 3)"}));
  EXPECT_THAT(both[1].at("warnings").dump(), HasSubstr("'Security.AuthPrivateKey' is not"));
  EXPECT_EQ(shake_json(0, {"--rootfs", "a"}).size(), 1U);
  EXPECT_EQ(shake_json(1, {"--rootfs", "b"}).size(), 1U);
}

TEST_F(Handshake, WithSkipVerifyAnyServerWillDo) {
  done({"ca", "init", "other", "--cn", "Other CA"});
  start_openssl();
  folder_->write("conf", R"({"ServerURL": "https://a.example.com", "SkipVerify": true,
      "HttpsClient": {"Certificate": "/data/mender/mender-cert.pem",
      "Key": "/data/mender/mender-cert-private.pem"}, "Security": {
      "AuthPrivateKey": "/data/mender/mender-cert-private.pem"}})");
  put("conf", "/etc/mender/mender.conf");
  const Json record = shake_json(0)[0];
  EXPECT_EQ(record.at("verdict"), "accepted");
  EXPECT_EQ(record.at("verified_by"), "nothing: self-signed certificate in certificate chain");
  EXPECT_EQ(record.at("warnings"),
            Json::array({"'SkipVerify' is set: the device takes any server for the right one"}));
}

TEST_F(Handshake, TheSystemsCasOfTheImageCountToo) {
  start_openssl();
  folder_->write("conf", R"({"ServerURL": "https://mtls.example.com",
      "HttpsClient": {"Certificate": "/data/mender/mender-cert.pem",
      "Key": "/data/mender/mender-cert-private.pem"}, "Security": {
      "AuthPrivateKey": "/data/mender/mender-cert-private.pem"}})");
  put("conf", "/etc/mender/mender.conf");
  EXPECT_EQ(shake().status, 1);
  done({"mkdir", "-p", "x.sdimg:/etc/ssl/certs"});
  put("ca/ca-cert.pem", "/etc/ssl/certs/ca-certificates.crt");
  EXPECT_EQ(shake_json(0)[0].at("verified_by"), "CN=Device CA of the system's CAs");
}

TEST_F(Handshake, ADeviceOfAnOverlayStore) {
  start_openssl();
  folder_->write("manifest.json", R"({"version": 1, "image": "x.sdimg",
      "authority": {"certificate": "ca/ca-cert.pem", "key": "ca/ca-private.key"},
      "identity": {"subject": {"CN": "{id}"}, "days": 100},
      "output": {"directory": "out", "format": "overlay"},
      "devices": [{"id": "unit-7"}, {"id": "unit-8"}]})");
  done({"rm", "x.sdimg:/data/mender/mender-cert.pem",
        "x.sdimg:/data/mender/mender-cert-private.pem"});
  done({"batch", "manifest.json"});
  const auto before = listing("out");
  const CommandResult result = imprint({"handshake", "out/overlays.db", "--id", "unit-8", "--edge",
                                        edge(), "--server-name", "mtls.example.com"});
  EXPECT_EQ(result.status, 0) << result.err << server_log();
  EXPECT_THAT(result.out, StartsWith("out/overlays.db: unit-8: accepted\n"));
  EXPECT_THAT(fact(result.out, "sent"), StartsWith("CN=unit-8, serial "));
  EXPECT_EQ(listing("out"), before);
  const CommandResult unknown = imprint({"handshake", "out/overlays.db", "--id", "unit-9"});
  EXPECT_EQ(unknown.status, 2);
  EXPECT_THAT(unknown.err, HasSubstr("'unit-9'"));
  fs::rename("x.sdimg", "moved.sdimg");
  const CommandResult moved = imprint({"handshake", "out/overlays.db", "--id", "unit-8"});
  EXPECT_EQ(moved.status, 2);
  EXPECT_THAT(moved.err, HasSubstr("(say where it is now with --base)"));
  EXPECT_EQ(imprint({"handshake", "out/overlays.db", "--id", "unit-8", "--base", "moved.sdimg",
                     "--edge", edge(), "--server-name", "mtls.example.com"})
                .status,
            0);
}

TEST_F(Handshake, TheKeyIsNowhereAndTheImageStaysAsItIs) {
  const std::string before = sha256_of_file("x.sdimg");
  const auto files = listing(".");
  start_openssl();
  std::string said;
  for (const std::vector<std::string>& more :
       {std::vector<std::string>{}, {"--json"}, {"--client", "3"}, {"--timeout", "5"}}) {
    const CommandResult result = shake(more);
    EXPECT_EQ(result.status, 0);
    said += result.out + result.err;
  }
  const std::string key = folder_->oracle().cat(4, "/mender/mender-cert-private.pem");
  ASSERT_THAT(key, HasSubstr("PRIVATE KEY"));
  EXPECT_THAT(said, Not(HasSubstr("PRIVATE KEY")));
  EXPECT_THAT(said, Not(HasSubstr(key.substr(key.find('\n') + 1, 40))));
  EXPECT_EQ(sha256_of_file("x.sdimg"), before);
  stop();
  fs::remove("server.log");
  EXPECT_EQ(listing("."), files);
}

}  // namespace
}  // namespace imprint::cli::test
