// Deliberately wrong images, one defect each: verify names exactly that defect, and nothing on a
// good one. The defects are made with debugfs and by writing bytes, keys and certificates by
// openssl.

#include <algorithm>
#include <fstream>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "verify_fixture.hpp"

namespace imprint::cli::test {
namespace {

using imprint::test::openssl;

class VerifyDefects : public testing::Test {
 protected:
  void SetUp() override {
    IMPRINT_NEED_IMAGES();
    IMPRINT_NEED_IMAGE_ORACLE();
    folder_.emplace(Variant::populated, 2);
    const CommandResult made = imprint({"batch", "manifest.json"});
    ASSERT_EQ(made.status, 0) << made.err;
  }

  /// The certificate of unit-1 with another profile, signed by the test's CA (or itself).
  static std::string certificate_for_key(const std::string& extensions,
                                         const std::string& ca = "ca/ca-cert.pem",
                                         const std::string& ca_key = "ca/ca-private.key") {
    const ImageOracle good("out/unit-1.sdimg");
    std::ofstream("key.pem") << good.cat(kData, kKeyInData);
    std::ofstream("ext.cnf") << extensions;
    openssl({"req", "-new", "-key", "key.pem", "-subj", "/CN=unit-1", "-out", "unit.csr"});
    return openssl({"x509", "-req", "-in", "unit.csr", "-CA", ca, "-CAkey", ca_key, "-days", "30",
                    "-extfile", "ext.cnf"});
  }

  static void merge_conf(Specimen& image, int partition, const Json& settings) {
    image.edit(partition, kMainConfInRootfs, [&](const std::string& text) {
      Json conf = Json::parse(text);
      conf.merge_patch(settings);
      return conf.dump();
    });
  }

  std::optional<BatchFolder> folder_;
};

const std::string kDevice =
    "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
    "extendedKeyUsage=clientAuth\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n";

TEST_F(VerifyDefects, NothingIsWrongWithGoodImages) {
  const auto all = imprint({"verify", "out", "--ca", "ca", "--manifest", "manifest.json",
                            "--golden", golden_image().string(), "--json"});
  EXPECT_EQ(all.status, 0) << all.out << all.err;
  const Json document = Json::parse(all.out);
  ASSERT_EQ(document["images"].size(), 2U);
  for (const Json& verdict : document["images"]) {
    EXPECT_TRUE(verdict["passed"].get<bool>());
    EXPECT_THAT(failed_checks(verdict), testing::IsEmpty());
    std::vector<std::string> names;
    for (const Json& check : verdict["checks"])
      names.push_back(check["check"]);
    EXPECT_THAT(names,
                testing::IsSupersetOf({"partitions", "file-systems", "configuration", "certificate",
                                       "key", "validity", "purpose", "chain", "ledger", "manifest",
                                       "key-copies", "golden", "bmap"}));
  }
}

TEST_F(VerifyDefects, OfKeyAndCertificate) {
  expect_defects({
      {"key that all can read",
       [](Specimen& image) {
         image.change(kData, {fmt::format("set_inode_field {} mode 0100644", kKeyInData)});
       },
       "key", "/data/mender/mender-cert-private.pem is 0644 0:0, should be 0600 0:0"},
      {"key of another owner",
       [](Specimen& image) {
         image.change(kData, {fmt::format("set_inode_field {} uid 1000", kKeyInData)});
       },
       "key", "is 0600 1000:0, should be 0600 0:0"},
      {"certificate that all can write",
       [](Specimen& image) {
         image.change(kData, {fmt::format("set_inode_field {} mode 0100666", kCertificateInData)});
       },
       "certificate", "/data/mender/mender-cert.pem is 0666 0:0, should be 0644 0:0"},
      {"key of another device",
       [](Specimen& image) {
         image.overwrite(kData, kKeyInData, ImageOracle("out/unit-2.sdimg").cat(kData, kKeyInData));
       },
       "key", "/data/mender/mender-cert-private.pem does not belong to the certificate"},
      {"encrypted key",
       [](Specimen& image) {
         image.edit(kData, kKeyInData, [](const std::string& key) {
           return openssl({"pkcs8", "-topk8", "-passout", "pass:x"}, key);
         });
       },
       "key", "is encrypted: clients load it with an empty passphrase"},
      {"key in DER",
       [](Specimen& image) {
         image.edit(kData, kKeyInData, [](const std::string& key) {
           return openssl({"pkey", "-outform", "DER"}, key);
         });
       },
       "key", "is not in PEM, which is all that clients read"},
      {"two keys",
       [](Specimen& image) {
         image.edit(kData, kKeyInData, [](const std::string& key) { return key + key; });
       },
       "key", "holds 2 private keys, should be one"},
      {"certificate instead of key",
       [](Specimen& image) {
         image.overwrite(kData, kKeyInData, image.oracle().cat(kData, kCertificateInData));
       },
       "key", "holds no private key"},
      {"no key",
       [](Specimen& image) { image.change(kData, {fmt::format("rm {}", kCertificateInData)}); },
       "certificate",
       "HttpsClient.Certificate names '/data/mender/mender-cert.pem', which is not in the image"},
      {"certificate in DER",
       [](Specimen& image) {
         image.edit(kData, kCertificateInData, [](const std::string& pem) {
           return openssl({"x509", "-outform", "DER"}, pem);
         });
       },
       "certificate", "/data/mender/mender-cert.pem is not in PEM, which is all that clients read"},
      {"damaged certificate",
       [](Specimen& image) {
         image.edit(kData, kCertificateInData, [](std::string pem) {
           pem.replace(40, 8, "AAAAAAAA");
           return pem;
         });
       },
       "certificate", "/data/mender/mender-cert.pem: "},
      {"empty certificate",
       [](Specimen& image) {
         image.change(kData, {fmt::format("set_inode_field {} size 0", kCertificateInData)});
       },
       "certificate",
       "HttpsClient.Certificate names '/data/mender/mender-cert.pem', which is empty"},
  });
}

TEST_F(VerifyDefects, OfTrust) {
  imprint({"ca", "init", "other", "--cn", "Other CA"});
  imprint({"ca", "revoke", "ca", "--ledger", "out/ledger.db", "--id", "unit-2"});
  const auto listed =
      imprint({"ca", "crl", "ca", "--ledger", "out/ledger.db", "--output", "crl.pem"});
  ASSERT_EQ(listed.status, 0) << listed.err;
  std::ofstream("index.txt").flush();
  std::ofstream("list.cnf") << "[ca]\ndefault_ca=x\n[x]\ndatabase=index.txt\ndefault_md=sha256\n";
  openssl({"ca", "-gencrl", "-config", "list.cnf", "-cert", "ca/ca-cert.pem", "-keyfile",
           "ca/ca-private.key", "-crl_lastupdate", "20200101000000Z", "-crl_nextupdate",
           "20200201000000Z", "-out", "old.pem"});
  const auto nothing = [](Specimen& /*image*/) {};
  const auto with = [](const std::string& extensions) {
    return [extensions](Specimen& image) {
      image.overwrite(kData, kCertificateInData, certificate_for_key(extensions));
    };
  };
  expect_defects({
      {"foreign CA", nothing, "chain", "issued by ", {"--ca", "other/ca-cert.pem"}},
      {"expired", nothing, "validity", ", not at 2049-01-31", {"--at", "2049-01-31"}},
      {"not yet valid", nothing, "validity", ", not at 2001-01-31", {"--at", "2001-01-31"}},
      {"for servers only",
       with("basicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\n"), "purpose",
       "extendedKeyUsage or keyUsage do not allow it to authenticate a TLS client"},
      {"key that may not sign",
       with("basicConstraints=critical,CA:FALSE\nkeyUsage=critical,keyCertSign\n"), "purpose",
       "extendedKeyUsage or keyUsage do not allow"},
      {"a CA's", with("basicConstraints=critical,CA:TRUE\n"), "purpose",
       "it is a CA's certificate, which no device should have"},
      {"signed by a namesake of the CA",
       [](Specimen& image) {
         openssl({"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                  "-subj", "/C=NO/O=Test/CN=Test CA", "-keyout", "fake.key", "-out", "fake.pem"});
         image.overwrite(kData, kCertificateInData,
                         certificate_for_key(kDevice, "fake.pem", "fake.key"));
       },
       "chain", "issued by "},
      {"revoked",
       [](Specimen& image) { copy_image("out/unit-2.sdimg", image.image()); },
       "revocation",
       " is in 'crl.pem'",
       {"--crl", "crl.pem"}},
      {"old CRL",
       nothing,
       "revocation",
       "'old.pem' ended at 2020-02-01T00:00:00Z: get the next one",
       {"--crl", "old.pem"}},
  });
}

TEST_F(VerifyDefects, OfTheCasAbove) {
  imprint({"ca", "init", "root", "--cn", "Root"});
  imprint({"ca", "init", "line", "--cn", "Line 1", "--parent", "root"});
  folder_->manifest["authority"] = "line";
  folder_->manifest["output"]["directory"] = "lined";
  folder_->save();
  ASSERT_EQ(imprint({"batch", "manifest.json"}).status, 0);
  const auto revoked = imprint({"ca", "revoke", "root", "--certificate", "line/ca-cert.pem"});
  ASSERT_EQ(revoked.status, 0) << revoked.err;
  for (const char* ca : {"root", "line"}) {
    const std::string ledger = ca == std::string("root") ? "root/ledger.db" : "lined/ledger.db";
    const auto listed =
        imprint({"ca", "crl", ca, "--ledger", ledger, "--output", fmt::format("{}.crl", ca)});
    ASSERT_EQ(listed.status, 0) << listed.err;
  }
  const auto verified = imprint({"verify", "lined/unit-1.sdimg", "--quick", "--ca", "root", "--ca",
                                 "line", "--crl", "root.crl", "--crl", "line.crl"});
  EXPECT_EQ(verified.status, 1);
  EXPECT_THAT(verified.out, testing::ContainsRegex("FAIL revocation +CN=Line 1 .serial [0-9a-f]+. "
                                                   "is in 'root.crl'"));
}

TEST_F(VerifyDefects, OfTheConfiguration) {
  const auto conf = [](int partition, const Json& settings) {
    return [partition, settings](Specimen& image) { merge_conf(image, partition, settings); };
  };
  expect_defects({
      {"B differs from A", conf(kRootfsB, {{"HttpsClient", {{"Certificate", "/data/other.pem"}}}}),
       "configuration",
       "rootfs B (partition 3): HttpsClient.Certificate is not what it is in rootfs A "
       "(partition 2)"},
      {"B has another server", conf(kRootfsB, {{"ServerURL", "https://other.example.com"}}),
       "configuration",
       "rootfs B (partition 3): ServerURL is not what it is in rootfs A (partition 2)"},
      {"a server without TLS in B", conf(kRootfsB, {{"ServerURL", "http://mtls.example.com"}}),
       "configuration",
       "rootfs B (partition 3): ServerURL is not https://, so that the client shows no "
       "certificate"},
      {"anybody is the server in B", conf(kRootfsB, {{"SkipVerify", true}}), "configuration",
       "rootfs B (partition 3): SkipVerify is set: the client takes anybody for its server"},
      {"no JSON in B",
       [](Specimen& image) {
         image.edit(kRootfsB, kMainConfInRootfs, [](const std::string& text) {
           return text.substr(0, text.rfind('}')) + ",}\n";
         });
       },
       "configuration", "rootfs B (partition 3): "},
      {"signs with another key in B",
       conf(kRootfsB, {{"Security", {{"AuthPrivateKey", "/data/mender/mender-agent.pem"}}}}),
       "configuration",
       "rootfs B (partition 3): 'Security.AuthPrivateKey' is not the key of 'HttpsClient.Key'"},
      {"httpsclient in another case beside it, in B",
       [](Specimen& image) {
         image.edit(kRootfsB, kMainConfInRootfs, [](const std::string& text) {
           return R"({"httpsclient":{"Key":"/old.key","Certificate":"/old.pem"},)" +
                  text.substr(text.find('{') + 1);
         });
       },
       "configuration",
       "'httpsclient' and 'HttpsClient' in '/etc/mender/mender.conf' are one setting"},
      {"the fallback has another identity",
       [](Specimen& image) {
         image.edit(kData, "/mender/mender.conf", [](const std::string& text) {
           Json json = Json::parse(text);
           json["HttpsClient"] = {{"Certificate", "/data/mender/mender-cert.pem"},
                                  {"Key", "/data/mender/old.key"}};
           return json.dump();
         });
         // Which would say the same.
         image.change(kRootfsB, {"rm /etc/mender/mender.conf"});
       },
       "configuration",
       "'HttpsClient.Key' in '/etc/mender/mender.conf' overrides a different one in "
       "'/data/mender/mender.conf'"},
      {"two ways to name servers",
       [](Specimen& image) {
         image.change(kRootfsB, {"rm /etc/mender/mender.conf"});
         merge_conf(image, kRootfsA, {{"Servers", {{{"ServerURL", "https://b.example.com"}}}}});
       },
       "configuration", "'ServerURL' in '/etc/mender/mender.conf' and 'Servers' in "},
      {"no identity",
       [](Specimen& image) {
         image.change(kRootfsB, {"rm /etc/mender/mender.conf"});
         image.edit(kRootfsA, kMainConfInRootfs, [](const std::string& text) {
           Json json = Json::parse(text);
           json.erase("HttpsClient");
           json.erase("Security");
           return json.dump();
         });
       },
       "configuration", "HttpsClient names no certificate and key: the device has no identity"},
  });
}

}  // namespace
}  // namespace imprint::cli::test
