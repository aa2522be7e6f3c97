#include "device_proof.hpp"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

namespace imprint::cli::test {

namespace {

constexpr const char* kKey = "/data/mender/mender-cert-private.pem";
constexpr const char* kCertificate = "/data/mender/mender-cert.pem";

void prove_configuration(const std::string& text) {
  const Json conf = Json::parse(text, nullptr, false);
  ASSERT_TRUE(conf.is_object()) << text;
  EXPECT_EQ(conf["HttpsClient"]["Certificate"], kCertificate);
  EXPECT_EQ(conf["HttpsClient"]["Key"], kKey);
  EXPECT_EQ(conf["Security"]["AuthPrivateKey"], kKey);
  EXPECT_EQ(conf["ServerURL"], "https://mtls.example.com");
}

void prove_identity(const Carried& carried, const std::string& id) {
  const imprint::test::TempDir dir;
  const std::string certificate = dir.write("certificate.pem", carried.certificate_pem).string();
  const auto verified = run_command({"openssl", "verify", "-x509_strict", "-purpose", "sslclient",
                                     "-CAfile", "ca/ca-cert.pem", certificate});
  EXPECT_EQ(verified.status, 0) << verified.out << verified.err;
  if (imprint::test::has_command("certtool")) {
    const auto judged = run_command({"certtool", "--verify", "--load-ca-certificate",
                                     "ca/ca-cert.pem", "--infile", certificate});
    EXPECT_EQ(judged.status, 0) << judged.out << judged.err;
  }
  using imprint::test::openssl;
  EXPECT_EQ(openssl({"x509", "-noout", "-pubkey"}, carried.certificate_pem),
            openssl({"pkey", "-pubout"}, carried.key_pem))
      << "key and certificate do not belong together";
  const std::string subject =
      openssl({"x509", "-noout", "-subject", "-nameopt", "RFC2253"}, carried.certificate_pem);
  EXPECT_NE(subject.find(fmt::format("CN={}.devices.example.com", id)), std::string::npos)
      << subject;
}

}  // namespace

void prove_image(const fs::path& image, const Expected& expected) {
  SCOPED_TRACE(image.string());
  const ImageOracle oracle(image);
  for (const int partition : {kRootfsA, kRootfsB, kData})
    EXPECT_EQ(oracle.complaints(partition), "") << "partition " << partition;

  EXPECT_EQ(oracle.attributes(kData, "/mender/mender-cert-private.pem"), "0600 0:0");
  EXPECT_EQ(oracle.attributes(kData, "/mender/mender-cert.pem"), "0644 0:0");
  EXPECT_EQ(oracle.attributes(kData, "/wifi/psk"), "0600 0:0");
  EXPECT_EQ(oracle.cat(kData, "/wifi/psk"), expected.psk + "\n");
  for (const std::string& entry : oracle.owners(kData, "/"))
    EXPECT_TRUE(entry.ends_with(" 0:0")) << entry;
  prove_identity(carried_by(oracle), expected.id);

  for (const int root : {kRootfsA, kRootfsB}) {
    SCOPED_TRACE(fmt::format("partition {}", root));
    if (root == kRootfsB && !expected.populated_b) {
      EXPECT_EQ(oracle.owners(root, "/").size(), 1U) << "an empty rootfs stays empty";
      continue;
    }
    EXPECT_EQ(oracle.cat(root, "/etc/hostname"), expected.id + "\n");
    EXPECT_EQ(oracle.cat(root, "/etc/mender/server.crt"), "shared by all\n");
    EXPECT_EQ(oracle.attributes(root, "/etc/mender/server.crt"), "0644 0:0");
    EXPECT_EQ(oracle.attributes(root, "/etc/mender/mender.conf"), "0600 0:0") << "mode is kept";
    if (expected.target != "data") prove_configuration(oracle.cat(root, "/etc/mender/mender.conf"));
  }
  if (expected.target != "rootfs") prove_configuration(oracle.cat(kData, "/mender/mender.conf"));
}

Carried carried_by(const ImageOracle& image) {
  return {image.cat(kData, "/mender/mender-cert.pem"),
          image.cat(kData, "/mender/mender-cert-private.pem")};
}

std::string plain_hex(std::string hex) {
  hex.erase(0, hex.find_first_not_of('0'));
  std::ranges::transform(hex, hex.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return hex;
}

std::string serial_of(const std::string& certificate_pem) {
  std::string line =
      imprint::test::openssl({"x509", "-noout", "-serial"}, certificate_pem);  // serial=0A1B...
  line.erase(0, line.find('=') + 1);
  line.erase(line.find_last_not_of('\n') + 1);
  return plain_hex(std::move(line));
}

}  // namespace imprint::cli::test
