// The deployment texts, as a YAML parser reads them: every mount leads from a file that is there to
// the name under which Mender's servers look for it.

#include <gmock/gmock.h>

#include "batch_fixture.hpp"
#include "keygen_fixture.hpp"

namespace imprint::cli::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using Mounts = std::map<std::string, std::string>;

class KeygenTexts : public KeygenTest {
 protected:
  void SetUp() override { IMPRINT_NEED_PYTHON_MODULE("yaml"); }

  /// Target in the container -> file below the folder of keys. All are read-only.
  static Mounts mounts(const Json& compose, const std::string& service, const fs::path& out) {
    Mounts found;
    for (const Json& volume : compose["services"][service]["volumes"]) {
      const auto text = volume.get<std::string>();
      const std::size_t end = text.find(':');
      const std::size_t mode = text.rfind(':');
      EXPECT_EQ(text.substr(mode), ":ro") << text;
      const fs::path source = text.substr(0, end);
      EXPECT_TRUE(source.is_absolute() && fs::is_regular_file(source)) << source;
      found[text.substr(end + 1, mode - end - 1)] =
          source.lexically_relative(fs::canonical(out)).string();
    }
    return found;
  }

  static std::vector<std::string> services(const Json& compose) {
    std::vector<std::string> names;
    for (const auto& [name, service] : compose["services"].items())
      names.push_back(name);
    return names;
  }

  const fs::path compose_ = "keys-generated/docker-compose.override.yml";
  const fs::path helm_ = "keys-generated/helm-values.yaml";
};

TEST_F(KeygenTexts, ComposeOfServersFrom31To38) {
  ok({"keygen", "--service-key", "ed25519", "--cn", "mender.example.com"});
  const Json compose = read_yaml(compose_);
  EXPECT_THAT(services(compose), ElementsAre("mender-api-gateway", "mender-deployments",
                                             "mender-device-auth", "mender-useradm"));
  EXPECT_EQ(mounts(compose, "mender-api-gateway", "keys-generated"),
            (Mounts{{"/etc/traefik/certs/cert.crt", "cert/cert.crt"},
                    {"/etc/traefik/certs/private.key", "cert/private.key"}}));
  EXPECT_EQ(mounts(compose, "mender-deployments", "keys-generated"),
            (Mounts{{"/etc/ssl/certs/docker.mender.io.crt", "cert/server.crt"}}));
  EXPECT_EQ(compose["services"]["mender-deployments"]["environment"],
            (Json{{"STORAGE_BACKEND_CERT", "/etc/ssl/certs/docker.mender.io.crt"}}));
  EXPECT_EQ(mounts(compose, "mender-device-auth", "keys-generated"),
            (Mounts{{"/etc/deviceauth/rsa/private.pem", "keys/deviceauth/private.key"}}));
  EXPECT_EQ(compose["services"]["mender-device-auth"]["environment"],
            (Json{{"DEVICEAUTH_SERVER_PRIV_KEY_PATH", "/etc/deviceauth/rsa/private.pem"}}));
  EXPECT_EQ(mounts(compose, "mender-useradm", "keys-generated"),
            (Mounts{{"/etc/useradm/rsa/private.pem", "keys/useradm/private.key"}}));
  EXPECT_EQ(compose["services"]["mender-useradm"]["environment"],
            (Json{{"USERADM_SERVER_PRIV_KEY_PATH", "/etc/useradm/rsa/private.pem"}}));
  EXPECT_EQ(compose["version"], "2.3");
  EXPECT_EQ(mode_of(compose_), 0644U);
}

TEST_F(KeygenTexts, ComposeOfServersFrom40) {
  ok({"keygen", "--service-key", "ed25519", "--cn", "mender.example.com", "--server-version",
      "4.1"});
  const Json compose = read_yaml(compose_);
  EXPECT_THAT(services(compose), ElementsAre("traefik", "deployments", "deviceauth", "useradm"));
  EXPECT_EQ(mounts(compose, "traefik", "keys-generated"),
            (Mounts{{"/etc/traefik/certs/mender.crt", "cert/cert.crt"},
                    {"/etc/traefik/certs/mender.key", "cert/private.key"}}));
  EXPECT_FALSE(compose.contains("version"));
  EXPECT_THAT(slurp(compose_), HasSubstr("# Its containers run as user 65534, which has to be able "
                                         "to read the keys.\n"));
}

TEST_F(KeygenTexts, ComposeOfClassicServers) {
  const std::vector<std::string> keygen = {"keygen",       "--layout",      "classic",
                                           "--api-cn",     "a.example.com", "--storage-cn",
                                           "s.example.com"};
  const auto made_for = [&](const std::string& version) {
    std::vector<std::string> arguments = keygen;
    arguments.insert(arguments.end(), {"--server-version", version, "--out", "v" + version});
    ok(arguments);
    return read_yaml("v" + version + "/docker-compose.override.yml");
  };
  const Json oldest = made_for("2.6");
  EXPECT_THAT(services(oldest),
              ElementsAre("mender-api-gateway", "storage-proxy", "mender-deployments",
                          "mender-device-auth", "mender-useradm"));
  EXPECT_EQ(
      mounts(oldest, "mender-api-gateway", "v2.6"),
      (Mounts{{"/var/www/mendersoftware/cert/cert.crt", "certs/api-gateway/cert.crt"},
              {"/var/www/mendersoftware/cert/private.key", "certs/api-gateway/private.key"}}));
  EXPECT_EQ(
      mounts(oldest, "storage-proxy", "v2.6"),
      (Mounts{{"/var/www/storage-proxy/cert/cert.crt", "certs/storage-proxy/cert.crt"},
              {"/var/www/storage-proxy/cert/private.key", "certs/storage-proxy/private.key"}}));
  EXPECT_EQ(oldest["services"]["mender-deployments"]["environment"]["STORAGE_BACKEND_CERT"],
            "/etc/ssl/certs/storage-proxy.crt");
  const Json middle = made_for("2.7");
  EXPECT_EQ(mounts(middle, "mender-api-gateway", "v2.7").count("/certs/s3.docker.mender.io.key"),
            1U);
  const Json last = made_for("3.0");
  EXPECT_EQ(
      mounts(last, "mender-api-gateway", "v3.0"),
      (Mounts{{"/etc/traefik/certs/cert.crt", "certs/api-gateway/cert.crt"},
              {"/etc/traefik/certs/private.key", "certs/api-gateway/private.key"},
              {"/etc/traefik/certs/s3.docker.mender.io.crt", "certs/storage-proxy/cert.crt"},
              {"/etc/traefik/certs/s3.docker.mender.io.key", "certs/storage-proxy/private.key"}}));
}

TEST_F(KeygenTexts, NamesThatYamlAndComposeHaveTheirOwnIdeasOf) {
  fs::create_directory("a \"b\" # $HOME");
  ok({"keygen", "--service-key", "ed25519", "--cn", "a.example.com", "--out", "a \"b\" # $HOME/k"});
  const Json compose = read_yaml("a \"b\" # $HOME/k/docker-compose.override.yml");
  EXPECT_THAT(compose["services"]["mender-useradm"]["volumes"][0].get<std::string>(),
              HasSubstr("/a \"b\" # $$HOME/k/keys/useradm/private.key:"));
  ok({"keygen", "--service-key", "ed25519", "--cn", "a.example.com", "--out", "a:b"});
  const Json with_colon = read_yaml("a:b/docker-compose.override.yml");
  EXPECT_EQ(with_colon["services"]["mender-useradm"]["volumes"][0],
            (Json{{"type", "bind"},
                  {"source", (fs::canonical("a:b") / "keys/useradm/private.key").string()},
                  {"target", "/etc/useradm/rsa/private.pem"},
                  {"read_only", true}}));
  const CommandResult bad =
      imprint({"keygen", "--service-key", "ed25519", "--cn", "a.example.com", "--out", "a\xff"});
  EXPECT_EQ(bad.status, 2);
  EXPECT_THAT(bad.err, HasSubstr("is no UTF-8, and YAML holds nothing else; choose another name"));
  EXPECT_FALSE(fs::exists("a\xff"));
}

TEST_F(KeygenTexts, HelmValuesHoldTheKeys) {
  ok({"keygen", "--service-key", "ed25519", "--cn", "mender.example.com"});
  const Json values = read_yaml(helm_);
  EXPECT_EQ(values["api_gateway"]["env"]["SSL"], true);
  EXPECT_EQ(values["api_gateway"]["certs"]["cert"], slurp("keys-generated/cert/cert.crt"));
  EXPECT_EQ(values["api_gateway"]["certs"]["key"], slurp("keys-generated/cert/private.key"));
  EXPECT_EQ(values["device_auth"]["certs"]["key"],
            slurp("keys-generated/keys/deviceauth/private.key"));
  EXPECT_EQ(values["useradm"]["certs"]["key"], slurp("keys-generated/keys/useradm/private.key"));
  EXPECT_EQ(values.size(), 3U);
  EXPECT_EQ(mode_of(helm_), 0600U);
  EXPECT_THAT(slurp(helm_), HasSubstr("HOLDS PRIVATE KEYS"));
}

TEST_F(KeygenTexts, ThatAreMountedWhenAServiceHasTwoKeys) {
  ok({"keygen", "--cn", "mender.example.com", "--service-key", "ed25519"});
  ok({"keygen", "rotate", "--service", "deviceauth"});
  ok({"keygen", "rotate", "--service", "useradm"});
  const Json compose = read_yaml(compose_);
  for (const auto& [service, folder, prefix] :
       {std::tuple("mender-device-auth", "deviceauth", "DEVICEAUTH"),
        std::tuple("mender-useradm", "useradm", "USERADM")}) {
    const std::string inside = std::string("/etc/") + folder + "/rsa/";
    const std::string keys = std::string("keys/") + folder + "/";
    EXPECT_EQ(mounts(compose, service, "keys-generated"),
              (Mounts{{inside + "private.pem", keys + "private.key"},
                      {inside + "private.id.1.pem", keys + "private.id.1.pem"}}));
    EXPECT_EQ(
        compose["services"][service]["environment"],
        (Json{{std::string(prefix) + "_SERVER_PRIV_KEY_PATH", inside + "private.id.1.pem"},
              {std::string(prefix) + "_SERVER_FALLBACK_PRIV_KEY_PATH", inside + "private.pem"}}));
  }
  const Json values = read_yaml(helm_);
  EXPECT_EQ(values["useradm"]["certs"], (Json{{"existingSecret", "imprint-useradm-keys"}}));
  EXPECT_EQ(values["device_auth"]["customEnvs"],
            (Json{{{"name", "DEVICEAUTH_SERVER_PRIV_KEY_PATH"},
                   {"value", "/etc/deviceauth/rsa/private.id.1.pem"}},
                  {{"name", "DEVICEAUTH_SERVER_FALLBACK_PRIV_KEY_PATH"},
                   {"value", "/etc/deviceauth/rsa/private.pem"}}}));
  const Json secrets = read_yaml("keys-generated/kubernetes-secrets.yaml");
  ASSERT_EQ(secrets.size(), 2U);
  EXPECT_EQ(secrets[1]["kind"], "Secret");
  EXPECT_EQ(secrets[1]["metadata"]["name"], "imprint-useradm-keys");
  EXPECT_EQ(secrets[1]["stringData"],
            (Json{{"private.pem", slurp("keys-generated/keys/useradm/private.key")},
                  {"private.id.1.pem", slurp("keys-generated/keys/useradm/private.id.1.pem")}}));
  EXPECT_EQ(mode_of("keys-generated/kubernetes-secrets.yaml"), 0600U);
}

TEST_F(KeygenTexts, PrintedOnes) {
  const auto first = ok(
      {"keygen", "--service-key", "ed25519", "--cn", "mender.example.com", "--print", "compose"});
  EXPECT_EQ(first.out, slurp(compose_)) << "keys that are not there are made";
  EXPECT_EQ(ok({"keygen", "--print", "helm"}).out, slurp(helm_));
  const std::string key = slurp("keys-generated/cert/private.key");
  dir_.write("new.yml", ok({"keygen", "--print", "compose", "--server-version", "4.0"}).out);
  EXPECT_THAT(services(read_yaml("new.yml")),
              ElementsAre("traefik", "deployments", "deviceauth", "useradm"));
  EXPECT_EQ(slurp("keys-generated/cert/private.key"), key) << "keys that are there stay";
  refused({"keygen", "--print", "secrets"},
          "no secrets are needed beside the values for Helm: no service has numbered keys");
  refused({"keygen", "--print", "helm", "--layout", "classic"},
          "--layout classic: the keys in 'keys-generated' have the layout 'current'; leave it out, "
          "or choose another folder with --out");
  ok({"keygen", "--print", "helm", "--layout", "current"});
  fs::remove("keys-generated/keys/useradm/private.key");
  refused({"keygen", "--print", "compose", "--server-version", "2.7"},
          "'keys-generated/keys/useradm/private.key' is missing; put it there");
}

TEST_F(KeygenTexts, WhatContradictsTheTreeIsRefused) {
  ok({"ca", "init", "ca", "--cn", "First"});
  ok({"keygen", "--cn", "mender.example.com", "--service-key", "ed25519", "--days", "400"});
  const std::string certificate = "'keys-generated/cert/cert.crt' is there already, ";
  const std::string advice = "; leave that option out, or choose another folder with --out";
  const std::vector<std::pair<std::vector<std::string>, std::string>> others = {
      {{"--cn", "a.example.com"},
       certificate + "for 'mender.example.com', not 'a.example.com'" + advice},
      {{"--cn", "mender.example.com", "--san", "IP:192.0.2.7"},
       certificate +
           "with the names 'DNS:mender.example.com,DNS:*.mender.example.com', not "
           "'DNS:mender.example.com,IP:192.0.2.7'" +
           advice},
      {{"--days", "3650"}, certificate + "for 400 days, not 3650" + advice},
      {{"--ca", "ca"}, certificate + "and 'CN=First' did not sign it" + advice},
      {{"--service-key", "rsa:3072"},
       "'keys-generated/keys/deviceauth/private.key' is there already, of the kind ed25519, not "
       "rsa:3072" +
           advice},
      {{"--san", "a.example.com"}, "--san needs --cn, the server's host name, beside it"},
      {{"--api-cn", "a.example.com"},
       "--api-cn and --storage-cn belong to --layout classic; the current layout has one "
       "certificate, named by --cn and --san"},
  };
  for (auto [arguments, message] : others) {
    arguments.insert(arguments.begin(), {"keygen", "--print", "compose"});
    refused(arguments, message);
  }
  // What says the same does no harm, and the command that made the tree can be given again.
  ok({"keygen", "--print", "compose", "--cn", "Mender.example.com", "--days", "400"});
  ok({"keygen", "--print", "compose", "--cn", "mender.example.com", "--san",
      "*.mender.example.com,mender.example.com", "--service-key", "ed25519"});
  ::setenv("CERT_CN", "mender.example.com", 1);
  ok({"keygen", "--print", "compose"});
  ::setenv("CERT_CN", "env.example.com", 1);
  refused({"keygen", "--print", "compose"},
          certificate + "for 'mender.example.com', not 'env.example.com'" + advice);
}

TEST_F(KeygenTexts, WhatContradictsAClassicTreeIsRefused) {
  ok({"ca", "init", "ca"});
  ok({"keygen", "--layout", "classic", "--api-cn", "a.example.com", "--storage-cn", "s.example.com",
      "--ca", "ca", "--days", "300", "--service-key", "ed25519"});
  ok({"keygen", "--print", "compose", "--storage-cn", "s.example.com", "--ca", "ca", "--days",
      "300"});
  refused({"keygen", "--print", "compose", "--storage-cn", "t.example.com"},
          "'keys-generated/certs/storage-proxy/cert.crt' is there already, for 's.example.com', "
          "not 't.example.com'; leave that option out, or choose another folder with --out");
}

TEST_F(KeygenTexts, NoneIsPrintedOfATreeThatCannotBeUsed) {
  ok({"keygen", "--cn", "mender.example.com", "--service-key", "ed25519"});
  const std::string certificate = slurp("keys-generated/cert/cert.crt");
  const std::string key = slurp("keys-generated/cert/private.key");
  const std::string service_key = slurp("keys-generated/keys/useradm/private.key");
  for (const char* const text : {"helm", "compose"}) {
    dir_.write("keys-generated/cert/private.key", service_key);
    refused({"keygen", "--print", text},
            "'keys-generated/cert/private.key' is not the key of 'keys-generated/cert/cert.crt'; "
            "put the right one there");
    dir_.write("keys-generated/cert/private.key", key);
    dir_.write("keys-generated/keys/useradm/private.key", certificate);
    refused({"keygen", "--print", text},
            "'keys-generated/keys/useradm/private.key': holds no private key, but a "
            "'CERTIFICATE'");
    dir_.write("keys-generated/keys/useradm/private.key", service_key);
    dir_.write("keys-generated/cert/cert.crt", "nothing\n");
    const CommandResult garbage = imprint({"keygen", "--print", text});
    EXPECT_EQ(garbage.status, 2);
    EXPECT_EQ(garbage.out, "");
    EXPECT_THAT(garbage.err, HasSubstr("imprint: error: 'keys-generated/cert/cert.crt': "));
    dir_.write("keys-generated/cert/cert.crt", certificate);
    ok({"keygen", "--print", text});
  }
}

TEST_F(KeygenTexts, EditedOnesStay) {
  ok({"keygen", "--cn", "mender.example.com", "--service-key", "ed25519", "--server-version",
      "4.0"});
  dir_.write(compose_.string(), slurp(compose_) + "# mine\n");
  fs::remove(helm_);
  const auto rotated = ok({"keygen", "rotate", "--service", "useradm"});
  EXPECT_THAT(rotated.err,
              HasSubstr("imprint: warning: 'keys-generated/docker-compose.override.yml' was edited "
                        "and stays as it is; see what has changed with 'imprint keygen --out "
                        "keys-generated --print compose'\n"));
  EXPECT_THAT(slurp(compose_), testing::EndsWith("# mine\n"));
  EXPECT_THAT(slurp(compose_), Not(HasSubstr("private.id.1.pem")));
  EXPECT_FALSE(fs::exists(helm_)) << "who took it away does not want it";
  fs::remove(compose_);
  EXPECT_THAT(ok({"keygen", "rotate", "--service", "useradm"}).err, Not(HasSubstr("warning")));
}

TEST_F(KeygenTexts, ARotationWritesForTheSameServers) {
  ok({"keygen", "--cn", "mender.example.com", "--service-key", "ed25519", "--server-version",
      "4.0"});
  ok({"keygen", "rotate", "--service", "useradm"});
  EXPECT_THAT(services(read_yaml(compose_)),
              ElementsAre("traefik", "deployments", "deviceauth", "useradm"));
  EXPECT_EQ(ok({"keygen", "--print", "compose"}).out, slurp(compose_));
}

}  // namespace
}  // namespace imprint::cli::test
