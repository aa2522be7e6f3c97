// Defects of what is around the identity: file systems, copies of keys, golden image, block map,
// records, what the device trusts.

#include <fstream>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "verify_fixture.hpp"

namespace imprint::cli::test {
namespace {

using imprint::test::openssl;
using imprint::test::slurp;

class VerifyContent : public testing::Test {
 protected:
  void SetUp() override {
    IMPRINT_NEED_IMAGES();
    IMPRINT_NEED_IMAGE_ORACLE();
    folder_.emplace(Variant::populated, 3);
    const CommandResult made = imprint({"batch", "manifest.json"});
    ASSERT_EQ(made.status, 0) << made.err;
  }

  static std::string key_of(const Specimen& image) { return image.oracle().cat(kData, kKeyInData); }

  std::optional<BatchFolder> folder_;
};

TEST_F(VerifyContent, DamagedImages) {
  expect_defects({
      {"journal not replayed",
       [](Specimen& image) { image.change(kData, {"feature needs_recovery"}); }, "file-systems",
       "partition 4"},
      {"inode cleared", [](Specimen& image) { image.change(kRootfsB, {"clri /etc/hostname"}); },
       "file-systems", "e2fsck -f"},
      {"blocks in use that are marked free",
       [](Specimen& image) {
         const std::string block = image.oracle().debugfs(kRootfsA, "blocks /etc/hostname");
         image.change(kRootfsA, {"freeb " + block.substr(0, block.find(' '))});
       },
       "file-systems", "e2fsck -f"},
      {"wrong number of links",
       [](Specimen& image) { image.change(kData, {"set_inode_field /wifi/psk links_count 5"}); },
       "file-systems", "e2fsck -f"},
      {"cut off", [](Specimen& image) { fs::resize_file(image.image(), 900U << 20); }, "partitions",
       "is truncated: it has 943718400 bytes, but partition 4 ends at byte"},
      {"no image", [](Specimen& image) { std::ofstream(image.image()) << "nothing"; }, "partitions",
       ""},
  });
}

TEST_F(VerifyContent, CopiesOfKeys) {
  const ImageOracle good("out/unit-1.sdimg");
  std::ofstream("key.pem") << good.cat(kData, kKeyInData);
  const std::string sec1 = openssl({"pkey", "-traditional", "-in", "key.pem"});
  const std::string der = openssl({"pkey", "-outform", "DER", "-in", "key.pem"});
  expect_defects({
      {"in a free block",
       [](Specimen& image) { image.write_into_free_block(kData, key_of(image)); }, "key-copies",
       "the private key is also in free block "},
      {"in a free block of a rootfs, in another form",
       [&](Specimen& image) { image.write_into_free_block(kRootfsB, "garbage" + sec1); },
       "key-copies", "the private key is also in free block "},
      {"in a file of root",
       [](Specimen& image) { image.add(kRootfsA, "/root/backup.pem", key_of(image)); },
       "key-copies", "'/root/backup.pem'"},
      {"in a file, as DER", [&](Specimen& image) { image.add(kRootfsB, "/etc/copy.der", der); },
       "key-copies", "'/etc/copy.der'"},
      {"between the partitions",
       [](Specimen& image) { image.write_at(std::uint64_t{5} << 20, key_of(image)); }, "key-copies",
       "the private key is also in "},
      {"another device's, left behind",
       [](Specimen& image) {
         image.write_into_free_block(kData, ImageOracle("out/unit-2.sdimg").cat(kData, kKeyInData));
       },
       "key-copies", "another private key is left in free block "},
      {"behind the end of its own file",
       [](Specimen& image) {
         image.write_at(image.offset_of(kData, kKeyInData) + 400, key_of(image));
       },
       "key-copies", "the private key is also in content of '/mender/mender-cert-private.pem'"},
      {"among many keys of others",
       [](Specimen& image) {
         const std::string other = openssl({"genpkey", "-algorithm", "RSA"});
         std::string many;
         for (int i = 0; i < 1100; ++i)
           many += other;
         image.add(kRootfsA, "/etc/many.pem", many);
         image.add(kRootfsB, "/root/backup.pem", key_of(image));
       },
       "key-copies", "'/root/backup.pem'"},
      {"another's in a free block, behind many in files",
       [](Specimen& image) {
         const std::string other = openssl({"genpkey", "-algorithm", "ED25519"});
         std::string many;
         for (int i = 0; i < 200; ++i)
           many += other;
         image.add(kRootfsA, "/etc/many.pem", many);
         image.write_into_free_block(kData, other);
       },
       "key-copies", "another private key is left in free block "},
      {"a key that debugfs has removed",
       [](Specimen& image) {
         image.add(kData, "/old.key", openssl({"genpkey", "-algorithm", "ED25519"}));
         image.change(kData, {"rm /old.key"});
       },
       "key-copies", "another private key is left in free block "},
  });
}

TEST_F(VerifyContent, DifferencesFromTheGoldenImage) {
  const std::vector<std::string> arguments = {"--golden",      golden_image(), "--manifest",
                                              "manifest.json", "--ledger",     "out/ledger.db"};
  expect_defects({
      {"one byte of a program",
       [](Specimen& image) {
         image.write_at(image.offset_of(kRootfsA, "/usr/bin/mender") + 5000, "!");
       },
       "golden", "1 bytes differ that should not, the first in content of '/usr/bin/mender'",
       arguments},
      {"a label",
       [](Specimen& image) { image.change(kData, {"set_super_value volume_name changed"}); },
       "golden", "bytes differ that should not, the first in ", arguments},
      {"a file more", [](Specimen& image) { image.add(kRootfsB, "/etc/more", "more\n"); }, "golden",
       "bytes differ that should not, the first in ", arguments},
      {"boot partition",
       [](Specimen& image) { image.write_at((std::uint64_t{8} << 20) + 400000, "!"); }, "golden",
       "1 bytes differ that should not, the first in ", arguments},
      {"files that only the manifest knows",
       [](Specimen& /*image*/) {},
       "golden",
       "bytes differ that should not",
       {"--golden", golden_image()}},
      {"another batch's", [](Specimen& /*image*/) {}, "golden", "", {"--golden", "base.sdimg"}},
  });
}

TEST_F(VerifyContent, BlockMap) {
  const std::vector<std::string> arguments = {"--bmap", "out/unit-1.sdimg.bmap"};
  expect_defects({
      {"another image's",
       [](Specimen& /*image*/) {},
       "bmap",
       "",
       {"--bmap", "out/unit-2.sdimg.bmap"}},
      {"changed after it was made",
       [](Specimen& image) {
         image.write_at(image.offset_of(kRootfsA, "/usr/bin/mender") + 5000, "!");
       },
       "bmap", "", arguments},
      {"a block that it leaves out",
       [](Specimen& image) { image.write_at(std::uint64_t{5} << 20, "!"); }, "bmap", "", arguments},
  });
  const auto beside = imprint({"verify", "out/unit-1.sdimg"});
  EXPECT_THAT(beside.out, testing::HasSubstr("out/unit-1.sdimg.bmap matches"));
}

TEST_F(VerifyContent, Records) {
  const auto nothing = [](Specimen& /*image*/) {};
  ASSERT_EQ(imprint({"ca", "init", "other", "--cn", "Other CA"}).status, 0);
  folder_->manifest["output"]["directory"] = "second";
  folder_->save();
  ASSERT_EQ(imprint({"batch", "manifest.json"}).status, 0);
  folder_->manifest["output"]["directory"] = "out";
  folder_->save();
  const auto manifest = [this](const std::string& name, const std::string& pointer,
                               const Json& value) {
    Json other = folder_->manifest;
    other[Json::json_pointer(pointer)] = value;
    std::ofstream(name) << other.dump();
    return std::vector<std::string>{"--manifest", name, "--ledger", "out/ledger.db"};
  };
  const std::string superseded = "superseded.db";
  fs::copy_file("out/ledger.db", superseded);
  const std::string changed =
      sql(superseded,
          "INSERT INTO outcomes SELECT certificate, 1 + max(number), 'superseded', at, NULL, "
          "NULL, 'made again' FROM outcomes WHERE certificate = 1");
  ASSERT_EQ(changed, "");
  expect_defects({
      {"unknown to the ledger",
       nothing,
       "ledger",
       "it does not know serial ",
       {"--ledger", "second/ledger.db"}},
      {"superseded",
       nothing,
       "ledger",
       "it is recorded as superseded: made again",
       {"--ledger", superseded}},
      {"another subject", nothing, "manifest",
       "unit-1: the certificate's subject is 'O=Test,CN=unit-1.devices.example.com', should be "
       "'O=Test,CN=unit-1.example.com'",
       manifest("a.json", "/identity/subject/CN", "{id}.example.com")},
      {"another name", nothing, "manifest",
       "unit-1: the certificate's names are [DNS:unit-1.devices.example.com, "
       "URI:urn:serial:SN000001], should be [DNS:unit-1.example.com, URI:urn:serial:SN000001]",
       manifest("b.json", "/identity/san/0", "DNS:{id}.example.com")},
      {"another place", nothing, "manifest", "HttpsClient.Key is '/data/mender/mender-cert-",
       manifest("c.json", "/identity/key_path", "/data/mender/elsewhere.pem")},
      {"another kind of key", nothing, "manifest",
       "unit-1: the key is ec:P-256, should be rsa:2048",
       manifest("f.json", "/identity/key", "rsa:2048")},
      {"another server", nothing, "manifest",
       "ServerURL is 'https://mtls.example.com', should be 'https://other.example.com'",
       manifest("g.json", "/mender_conf",
                {{"target", "rootfs"}, {"server_url", "https://other.example.com"}})},
      {"another text that all share", nothing, "manifest",
       "/etc/mender/server.crt is not what it should be",
       manifest("h.json", "/files/0/text", "shared by others\n")},
      {"another text", nothing, "manifest", "/etc/hostname is not what it should be",
       manifest("d.json", "/files/2/text", "host-{id}\n")},
      {"no such device",
       [](Specimen& /*image*/) { std::ofstream("two.csv") << "id,serial,psk\nunit-9,a,b\n"; },
       "manifest", "it has no device with an image 'bad.sdimg' or the id ",
       manifest("e.json", "/devices", "two.csv")},
  });
}

TEST_F(VerifyContent, WhatTheDeviceTrusts) {
  folder_.reset();
  folder_.emplace(Variant::empty_b, 1);
  openssl({"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
           "-days", "30", "-subj", "/CN=mtls.example.com", "-addext",
           "subjectAltName=DNS:mtls.example.com", "-keyout", "server.key", "-out", "server.crt"});
  openssl(
      {"genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "art.key"});
  openssl({"pkey", "-in", "art.key", "-pubout", "-out", "art.pub"});
  folder_->manifest["files"] = Json::array();
  folder_->manifest["mender_conf"]["server_certificate"] = "server.crt";
  folder_->manifest["mender_conf"]["artifact_verify_key"] = "art.pub";
  folder_->save();
  const auto made = imprint({"batch", "manifest.json"});
  ASSERT_EQ(made.status, 0) << made.err;
  const auto good = imprint({"verify", "out/unit-1.sdimg", "--json"});
  EXPECT_EQ(good.status, 0) << good.out;
  std::string server;
  std::string artifact;
  const Json document = Json::parse(good.out);
  for (const Json& check : document["images"][0]["checks"]) {
    if (check["check"] == "server-certificate") server = check["detail"];
    if (check["check"] == "artifact-key") artifact = check["detail"];
  }
  EXPECT_EQ(server, "CN=mtls.example.com");
  ASSERT_THAT(artifact, testing::EndsWith(" (ec:P-256)"));
  const std::string artifact_path = artifact.substr(0, artifact.find(' '));
  const Json conf = Json::parse(ImageOracle("out/unit-1.sdimg").cat(kRootfsA, kMainConfInRootfs));
  const std::string server_path = conf["ServerCertificate"];
  expect_defects({
      {"no server certificate",
       [&](Specimen& image) { image.change(kRootfsA, {"rm " + server_path}); },
       "server-certificate",
       fmt::format("ServerCertificate names '{}', which is not in the image", server_path)},
      {"server certificate that has ended",
       [](Specimen& /*image*/) {},
       "server-certificate",
       "CN=mtls.example.com is valid from ",
       {"--at", "2030-01-31"}},
      {"no certificate in it",
       [&](Specimen& image) { image.overwrite(kRootfsA, server_path, "shared by all\n"); },
       "server-certificate", server_path + ": "},
      {"private artifact key",
       [&](Specimen& image) { image.overwrite(kRootfsA, artifact_path, slurp("art.key")); },
       "artifact-key",
       artifact_path + " is a private key: it signs Artifacts, and must not be on a device"},
      {"no artifact key", [&](Specimen& image) { image.change(kRootfsA, {"rm " + artifact_path}); },
       "artifact-key",
       fmt::format("ArtifactVerifyKey names '{}', which is not in the image", artifact_path)},
      {"something else as artifact key",
       [&](Specimen& image) { image.overwrite(kRootfsA, artifact_path, "nothing\n"); },
       "artifact-key", artifact_path + " holds no public key"},
  });
}

TEST_F(VerifyContent, ImagesThatShareAnIdentity) {
  copy_image("out/unit-1.sdimg", "out/unit-3.sdimg");
  fs::remove("out/unit-3.sdimg.bmap");
  const auto verified = imprint({"verify", "out", "--ca", "ca", "--json"});
  EXPECT_EQ(verified.status, 1);
  const Json document = Json::parse(verified.out);
  const Json& images = document["images"];
  ASSERT_EQ(images.size(), 3U);
  EXPECT_THAT(failed_checks(images[0]), testing::IsEmpty());
  EXPECT_THAT(failed_checks(images[1]), testing::IsEmpty());
  EXPECT_THAT(
      failed_checks(images[2]),
      testing::ElementsAre("unique: it has the key, serial number, id of out/unit-1.sdimg"));
  const auto by_name = imprint(
      {"verify", "out/unit-3.sdimg", "--ledger", "out/ledger.db", "--manifest", "manifest.json"});
  EXPECT_EQ(by_name.status, 1);
  EXPECT_THAT(by_name.out,
              testing::HasSubstr("unit-3: this is the identity of unit-1, by the ledger"));
}

}  // namespace
}  // namespace imprint::cli::test
