// What a bundle holds; its files are read as their programs read them.

#include "edge_fixture.hpp"

namespace imprint::cli::test {
namespace {

using imprint::test::openssl;

TEST_F(Edge, ItsFilesAreThereWithTheirModes) {
  IMPRINT_NEED_COMMAND("openssl");
  ok({"ca", "init", "ca", "--cn", "Device CA"});
  const auto made = ok(edge_command("ca", {"--san", "IP:192.0.2.7"}));
  EXPECT_THAT(made.err, HasSubstr("no --backend: the files name https://mender-backend.invalid"));
  const std::vector<std::pair<const char*, unsigned>> wanted = {{"server.key", 0600},
                                                                {"server.crt", 0644},
                                                                {"ca.crt", 0644},
                                                                {"blacklist", 0644},
                                                                {"revoked.map", 0644},
                                                                {"devices.crl.pem", 0644},
                                                                {"nginx.conf", 0644},
                                                                {"run-nginx.sh", 0755},
                                                                {"mender-gateway.env", 0600},
                                                                {"run-mender-gateway.sh", 0755},
                                                                {"mtls-ambassador.env", 0600},
                                                                {"run-mtls-ambassador.sh", 0755}};
  for (const auto& [name, mode] : wanted)
    EXPECT_EQ(mode_of(fs::path("edge") / name), mode) << name;
  EXPECT_EQ(mode_of("edge"), 0755U);
  ok(edge_command("ca", {"--out", "servers/edge"}));
  EXPECT_EQ(mode_of("servers"), 0755U);
  const auto count = std::distance(fs::directory_iterator("edge"), fs::directory_iterator());
  EXPECT_EQ(static_cast<std::size_t>(count), wanted.size());
  for (const char* name : {"mtls.example.com", "192.0.2.7"}) {
    const bool address = std::string_view(name).starts_with('1');
    openssl({"verify", "-CAfile", "ca/ca-cert.pem", "-purpose", "sslserver",
             address ? "-verify_ip" : "-verify_hostname", name, "edge/server.crt"});
  }
  openssl({"crl", "-in", "edge/devices.crl.pem", "-CAfile", "ca/ca-cert.pem", "-noout"});
  EXPECT_EQ(slurp("edge/ca.crt"), slurp("ca/ca-cert.pem"));
  const auto listed = ok({"ledger", "list", "ca/ledger.db"});
  EXPECT_THAT(listed.out, HasSubstr("mtls.example.com"));
}

TEST_F(Edge, ItsVariablesAreThoseOfTheGatewayAndTheAmbassador) {
  ok({"ca", "init", "ca", "--cn", "Device CA"});
  ok(edge_command("ca", {"--backend", "https://mender.example.com/"}));
  const std::string gateway = "edge/mender-gateway.env";
  EXPECT_EQ(variable(gateway, "UPSTREAM_SERVER_URL"), "https://mender.example.com\n");
  EXPECT_EQ(variable(gateway, "UPSTREAM_SERVER_INSECURE_SKIP_VERIFY"), "false\n");
  EXPECT_EQ(variable(gateway, "MTLS_ENABLED"), "true\n");
  EXPECT_EQ(variable(gateway, "HTTPS_ENABLED"), "true\n");
  EXPECT_EQ(variable(gateway, "HTTPS_LISTEN"), ":8443\n");
  EXPECT_EQ(variable(gateway, "HTTPS_MINIMUM_TLS_VERSION"), "1.2\n");
  EXPECT_EQ(variable(gateway, "MTLS_MENDER_USERNAME"), "\n");
  EXPECT_EQ(variable(gateway, "MTLS_MENDER_PASSWORD"), "\n");
  const std::string ambassador = "edge/mtls-ambassador.env";
  EXPECT_EQ(variable(ambassador, "MTLS_MENDER_BACKEND"), "https://mender.example.com\n");
  EXPECT_EQ(variable(ambassador, "MTLS_MENDER_USER"), "\n");
  EXPECT_EQ(variable(ambassador, "MTLS_MENDER_PASS"), "\n");
  EXPECT_EQ(variable(ambassador, "MTLS_INSECURE_SKIP_VERIFY"), "false\n");
  // What a variable names is what the start script puts there.
  const auto mounted = [](const std::string& env, const std::string& name,
                          const std::string& script) {
    std::string path = variable(env, name);
    path.pop_back();
    EXPECT_THAT(slurp(script), HasSubstr(":" + path + ":ro")) << name;
  };
  for (const char* name : {"MTLS_CA_CERTIFICATE", "MTLS_BLACKLIST_PATH", "HTTPS_SERVER_CERTIFICATE",
                           "HTTPS_SERVER_KEY"})
    mounted(gateway, name, "edge/run-mender-gateway.sh");
  for (const char* name : {"MTLS_SERVER_CERT", "MTLS_SERVER_KEY", "MTLS_TENANT_CA_PEM"})
    mounted(ambassador, name, "edge/run-mtls-ambassador.sh");
  // Every line is a comment or NAME=value without quotes or spaces around.
  for (const std::string& file : {gateway, ambassador}) {
    EXPECT_EQ(run_command({"grep", "-vcE", "^(#.*|[A-Z_]+=[^ \"']*)$", file}).out, "0\n") << file;
  }
}

TEST_F(Edge, ItsScriptsStartNothingWithoutCredentials) {
  ok({"ca", "init", "ca", "--cn", "Device CA"});
  ok(edge_command("ca"));
  for (const std::string name : {"mender-gateway", "mtls-ambassador"}) {
    const auto started = run_command({fmt::format("edge/run-{}.sh", name)});
    EXPECT_EQ(started.status, 1);
    EXPECT_THAT(started.err, HasSubstr(" is empty in "));
    EXPECT_EQ(run_command({"sh", "-n", fmt::format("edge/run-{}.sh", name)}).status, 0);
  }
}

TEST_F(Edge, TakesACertificateAndKeyThatAreThere) {
  IMPRINT_NEED_COMMAND("openssl");
  ok({"ca", "init", "ca", "--cn", "Device CA"});
  ok({"ca", "init", "web", "--cn", "Web CA"});
  ok({"ca", "issue-server", "web", "--cn", "mtls.example.com"});
  ok({"ca", "issue-server", "web", "--cn", "other.example.com"});
  ok({"ca", "issue-device", "web", "--id", "unit"});
  openssl({"pkey", "-in", "mtls.example.com.key", "-aes256", "-passout", "pass:x", "-out",
           "locked.key"});
  const auto with = [](const std::string& certificate, const std::string& key) {
    return imprint({"edge", "--ca", "ca", "--cert", certificate, "--key", key});
  };
  const auto refuse = [&](const std::string& certificate, const std::string& key,
                          const std::string& message) {
    const auto result = with(certificate, key);
    EXPECT_EQ(result.status, 2) << result.err;
    EXPECT_THAT(result.err, HasSubstr("imprint: error: " + message));
    EXPECT_FALSE(fs::exists("edge"));
  };
  refuse("mtls.example.com.crt", "other.example.com.key",
         "--key 'other.example.com.key' does not belong to the certificate "
         "'mtls.example.com.crt'\n");
  refuse("mtls.example.com.crt", "locked.key",
         "--key 'locked.key': the key is encrypted, and the "
         "servers have no passphrase for it: decrypt it "
         "first\n");
  refuse("unit.crt", "unit.key",
         "--cert 'unit.crt': is not a TLS server's certificate (extendedKeyUsage)\n");
  refuse("ca/ca-cert.pem", "ca/ca-private.key",
         "--cert 'ca/ca-cert.pem': is the certificate of a CA, whose key has no place on a server: "
         "give one that the CA has issued for the server (imprint ca issue-server)\n");
  // The CA's key under a certificate that does not say so.
  openssl({"req", "-new", "-key", "ca/ca-private.key", "-subj", "/CN=mtls.example.com", "-out",
           "of-ca-key.csr"});
  openssl({"x509", "-req", "-in", "of-ca-key.csr", "-CA", "web/ca-cert.pem", "-CAkey",
           "web/ca-private.key", "-days", "365", "-out", "of-ca-key.crt"});
  refuse("of-ca-key.crt", "ca/ca-private.key",
         "--key 'ca/ca-private.key': is the key of the devices' CA or of one above it, which has "
         "no place on a server\n");
  refuse("gone.crt", "unit.key", "--cert 'gone.crt': ");
  refuse("mtls.example.com.key", "mtls.example.com.key", "--cert 'mtls.example.com.key': ");

  // The devices' CA key need not be here; then there is no CRL.
  fs::rename("ca/ca-private.key", "elsewhere.key");
  const auto made = with("mtls.example.com.crt", "mtls.example.com.key");
  ASSERT_EQ(made.status, 0) << made.err;
  EXPECT_THAT(made.err, HasSubstr("the CA's key is not there: no devices.crl.pem, only the "
                                  "blacklist"));
  EXPECT_EQ(slurp("edge/server.key"), slurp("mtls.example.com.key"));
  EXPECT_EQ(slurp("edge/server.crt"), slurp("mtls.example.com.crt"));
  EXPECT_FALSE(fs::exists("edge/devices.crl.pem"));
  EXPECT_EQ(slurp("edge/blacklist"), "");
}

TEST_F(Edge, WarnsOfAGivenCertificateThatWillNotDo) {
  IMPRINT_NEED_COMMAND("openssl");
  ok({"ca", "init", "ca", "--cn", "Device CA"});
  openssl({"req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
           "-keyout", "web.key", "-subj", "/CN=mtls.example.com", "-out", "web.csr"});
  const auto made = [](const std::string& days, const std::string& out) {
    openssl({"x509", "-req", "-in", "web.csr", "-signkey", "web.key", "-days", days, "-out",
             "web.crt"});
    return ok({"edge", "--ca", "ca", "--cert", "web.crt", "--key", "web.key", "--out", out}).err;
  };
  const std::string no_name =
      "imprint: warning: --cert 'web.crt' has no host name or address as subjectAltName, and "
      "Mender's clients look for the server's name there\n";
  const std::string soon = "within 90 days: devices refuse the edge then\n";
  EXPECT_THAT(made("30", "a"), testing::AllOf(HasSubstr(no_name), HasSubstr(soon)));
  EXPECT_THAT(made("365", "b"), testing::AllOf(HasSubstr(no_name), Not(HasSubstr(soon))));
  ok({"ca", "issue-server", "ca", "--cn", "named.example.com"});
  EXPECT_THAT(ok({"edge", "--ca", "ca", "--cert", "named.example.com.crt", "--key",
                  "named.example.com.key", "--out", "c"})
                  .err,
              Not(HasSubstr("warning")));
}

TEST_F(Edge, RefusesWhatCannotWorkAndWritesNothing) {
  ok({"ca", "init", "ca", "--cn", "Device CA", "--days", "100"});
  const auto refuse = [](std::vector<std::string> more, const std::string& message,
                         int status = 2) {
    std::vector<std::string> command = {"edge", "--ca", "ca"};
    command.insert(command.end(), more.begin(), more.end());
    const auto result = imprint(command);
    EXPECT_EQ(result.status, status) << result.err;
    EXPECT_THAT(result.err, HasSubstr("imprint: error: " + message));
    EXPECT_FALSE(fs::exists("edge"));
  };
  refuse({},
         "say what the server is called: --cn NAME, for a certificate of this CA, or give "
         "--cert FILE --key FILE\n");
  refuse({"--cn", "not a host"}, "--cn 'not a host' is neither a host name nor an address");
  refuse({"--cn", "a.example", "--san", "a_b.example"}, "--san 'a_b.example': ");
  refuse({"--cn", "a.example", "--san", "*.*.example"}, "--san '*.*.example': ");
  refuse({"--cn", "*.de"},
         "--cn: '*.de' is a wildcard over a single label, which clients refuse; give two labels "
         "at least after it, like *.example.com\n");
  refuse({"--cn", "a.example", "--san", "DNS:*.de"},
         "--san: '*.de' is a wildcard over a single label");
  refuse({"--cn", "a.example", "--days", "200"}, "--days: ");
  refuse({"--cn", "a.example", "--backend", "mender.example.com"},
         "--backend 'mender.example.com': a server's URL begins with https://\n");
  for (const auto& [letter, code] : std::vector<std::pair<std::string, std::string>>{
           {"$", "24"}, {";", "3B"}, {"\"", "22"}, {"{", "7B"}, {"}", "7D"}, {" ", "20"}}) {
    const std::string url = "https://mender.example.com/a" + letter + "b";
    refuse({"--cn", "a.example", "--backend", url},
           fmt::format("--backend '{}': '{}' cannot stand in the URL, since nginx and docker take "
                       "it for their own; write it as %{}\n",
                       url, letter, code));
  }
  refuse({"--cn", "a.example", "--backend", "https://mender.example.com/a'b"}, "--backend ");
  refuse({"--cn", "a.example", "--listen", "no port"},
         "--listen 'no port': a port is expected, or ADDRESS:PORT\n");
  refuse({"--cn", "a.example", "--ledger", "gone.db"},
         "there is no ledger 'gone.db': without the right one the lists of revoked certificates "
         "would be empty (a batch writes it into its output folder)\n");
  refuse({"--refresh"},
         "'edge' holds no bundle to refresh: make it with 'imprint edge' without "
         "--refresh\n");
  EXPECT_EQ(imprint({"edge", "--ca", "gone", "--cn", "a.example"}).status, 2);
  dir_.write("file", "");
  EXPECT_NE(imprint({"edge", "--ca", "ca", "--cn", "a.example", "--days", "50", "--out", "file/x"})
                .status,
            0);
}

TEST_F(Edge, AsksForThePassphraseOnce) {
  ::setenv("IMPRINT_EDGE_PASS", "correct horse", 1);
  ok({"ca", "init", "ca", "--cn", "Device CA", "--passphrase", "env:IMPRINT_EDGE_PASS"});
  ::setenv("IMPRINT_EDGE_PASS", "correct horse", 1);
  ok(edge_command("ca", {"--ca-passphrase", "env:IMPRINT_EDGE_PASS"}));
  EXPECT_TRUE(fs::exists("edge/devices.crl.pem"));
}

TEST_F(Edge, TellsMachinesToo) {
  ok({"ca", "init", "ca", "--cn", "Device CA"});
  const Json record = Json::parse(ok(edge_command("ca", {"--json"})).out);
  EXPECT_EQ(record["version"], 1);
  EXPECT_EQ(record["server_subject"], "CN=mtls.example.com");
  EXPECT_EQ(record["revoked"], 0);
  EXPECT_EQ(record["files"].size(), 12U);
}

}  // namespace
}  // namespace imprint::cli::test
