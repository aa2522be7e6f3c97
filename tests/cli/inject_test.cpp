// One image, one identity: minted or given, in place or into a copy.

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "../golden/disk_image.hpp"
#include "device_proof.hpp"

namespace imprint::cli::test {
namespace {

using imprint::test::openssl;
using testing::HasSubstr;

/// A folder with an image of its own, `own.sdimg`.
class InjectFolder : public BatchFolder {
 public:
  explicit InjectFolder(Variant variant = Variant::empty_b) : BatchFolder(variant, 1) {
    own_image();
  }
};

CommandResult inject(std::vector<std::string> more) {
  more.insert(more.begin(), {"inject", "own.sdimg"});
  return imprint(more);
}

/// A device certificate of the folder's CA and its key, by openssl: NAME.crt and NAME.key.
void make_identity(const std::string& name,
                   const std::vector<std::string>& key = {"-algorithm", "EC", "-pkeyopt",
                                                          "ec_paramgen_curve:P-256"}) {
  std::vector<std::string> generate{"genpkey", "-out", name + ".key"};
  generate.insert(generate.end(), key.begin(), key.end());
  openssl(generate);
  openssl({"req", "-new", "-key", name + ".key", "-subj", "/CN=" + name, "-out", name + ".csr"});
  openssl({"x509", "-req", "-in", name + ".csr", "-CA", "ca/ca-cert.pem", "-CAkey",
           "ca/ca-private.key", "-days", "365", "-out", name + ".crt"});
}

/// 64 characters from the middle of a PEM key: enough to know it again.
std::string key_line(const std::string& key_pem) {
  return key_pem.substr(key_pem.find('\n') + 1, 64);
}

bool holds_text(const fs::path& file, const std::string& text) {
  return run_command({"grep", "-caF", text, file.string()}).out != "0\n";
}

void expect_sound(const fs::path& image) {
  const ImageOracle oracle(image);
  for (const int partition : {kRootfsA, kRootfsB, kData})
    EXPECT_EQ(oracle.complaints(partition), "");
  const auto verified = imprint({"verify", image.string(), "--ca", "ca/ca-cert.pem"});
  EXPECT_EQ(verified.status, 0) << verified.out << verified.err;
}

TEST(Inject, MintsInPlaceAndRecordsIt) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_IMAGE_ORACLE();
  IMPRINT_NEED_COMMAND("sqlite3");
  const InjectFolder folder(Variant::populated);
  const auto made = inject({"--id", "unit-7", "--ca", "ca"});
  ASSERT_EQ(made.status, 0) << made.err;
  expect_sound("own.sdimg");
  const ImageOracle oracle("own.sdimg");
  EXPECT_EQ(oracle.attributes(kData, "/mender/mender-cert-private.pem"), "0600 0:0");
  EXPECT_EQ(oracle.attributes(kData, "/mender/mender-cert.pem"), "0644 0:0");
  const Carried carried = carried_by(oracle);
  EXPECT_EQ(openssl({"x509", "-noout", "-subject"}, carried.certificate_pem),
            "subject=CN = unit-7\n");
  EXPECT_EQ(sql("ca/ledger.db", "SELECT device_id, state, file FROM devices"),
            fmt::format("unit-7|placed|{}", fs::absolute("own.sdimg").string()));
  EXPECT_EQ(plain_hex(sql("ca/ledger.db", "SELECT serial FROM devices")),
            serial_of(carried.certificate_pem));
  EXPECT_FALSE(fs::exists(".own.sdimg.imprint-redo"));
}

TEST(Inject, WritesACopyAndLeavesTheImageAlone) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_IMAGE_ORACLE();
  const BatchFolder folder(Variant::empty_b, 1);
  const auto before = fs::last_write_time(base_image(Variant::empty_b));
  const auto made =
      imprint({"inject", "base.sdimg", "--id", "unit-7", "--ca", "ca", "--output", "copy.sdimg"});
  ASSERT_EQ(made.status, 0) << made.err;
  expect_sound("copy.sdimg");
  EXPECT_EQ(static_cast<int>(fs::status("copy.sdimg").permissions()), 0600);
  EXPECT_EQ(fs::last_write_time(base_image(Variant::empty_b)), before);

  const auto again =
      imprint({"inject", "base.sdimg", "--id", "unit-7", "--ca", "ca", "--output", "copy.sdimg"});
  EXPECT_EQ(again.status, 2);
  EXPECT_EQ(again.err,
            "imprint: error: --output 'copy.sdimg' exists already: use --force to overwrite it\n");
}

TEST(Inject, TakesACertificateAndKeyOfOthers) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_IMAGE_ORACLE();
  const InjectFolder folder;
  make_identity("given");
  const auto made = inject({"--id", "unit-7", "--cert", "given.crt", "--key", "given.key"});
  ASSERT_EQ(made.status, 0) << made.err;
  expect_sound("own.sdimg");
  const Carried carried = carried_by(ImageOracle("own.sdimg"));
  EXPECT_EQ(carried.certificate_pem, slurp("given.crt"));
  EXPECT_EQ(carried.key_pem, slurp("given.key"));
  EXPECT_FALSE(fs::exists("ca/ledger.db")) << "it was not minted here";
}

TEST(Inject, RefusesPairsThatAreNone) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_IMAGE_ORACLE();
  const InjectFolder folder;
  make_identity("given");
  make_identity("other");
  openssl({"pkey", "-in", "given.key", "-aes256", "-passout", "pass:secret", "-out", "locked.key"});
  const auto before = listing(".");

  const auto mismatch = inject({"--id", "unit-7", "--cert", "given.crt", "--key", "other.key"});
  EXPECT_EQ(mismatch.status, 2);
  EXPECT_EQ(mismatch.err,
            "imprint: error: --key 'other.key' does not belong to the certificate "
            "'given.crt'\n");
  const auto locked = inject({"--id", "unit-7", "--cert", "given.crt", "--key", "locked.key"});
  EXPECT_EQ(locked.status, 2);
  EXPECT_EQ(locked.err,
            "imprint: error: --key 'locked.key': the key is encrypted, and the Mender "
            "client has no passphrase for it: decrypt it first\n");
  const auto swapped = inject({"--id", "unit-7", "--cert", "given.key", "--key", "given.crt"});
  EXPECT_EQ(swapped.status, 2);
  EXPECT_EQ(swapped.err, "imprint: error: --cert 'given.key': holds no certificate in PEM form\n");
  EXPECT_EQ(listing("."), before);
}

TEST(Inject, ReplacesAnIdentityOnlyByForceAndWipesTheOldKey) {
  IMPRINT_NEED_IMAGE_ORACLE();
  IMPRINT_NEED_COMMAND("sqlite3");
  const BatchFolder folder(Variant::populated, 1);
  const golden::test::DiskImage small;  // searched through many times
  fs::copy_file(small.base().path(), "own.sdimg");
  // A large key first: replaced by a small one, it leaves blocks behind.
  make_identity("large", {"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:4096"});
  ASSERT_EQ(inject({"--id", "unit-7", "--cert", "large.crt", "--key", "large.key"}).status, 0);
  const std::string key = slurp("large.key");
  ASSERT_TRUE(holds_text("own.sdimg", key_line(key)));

  const auto refused = inject({"--id", "unit-7", "--ca", "ca"});
  EXPECT_EQ(refused.status, 2);
  EXPECT_EQ(refused.err,
            "imprint: error: the image has an identity already: data (partition 4): "
            "'/data/mender/mender-cert-private.pem': exists already; --force replaces it\n");
  EXPECT_TRUE(holds_text("own.sdimg", key_line(key)));
  EXPECT_FALSE(fs::exists("ca/ledger.db")) << "nothing was issued";

  const auto replaced = inject({"--id", "unit-7", "--ca", "ca", "--force"});
  ASSERT_EQ(replaced.status, 0) << replaced.err;
  EXPECT_THAT(replaced.err, HasSubstr("own.sdimg: 'unit-7' replaced"));
  expect_sound("own.sdimg");
  for (std::size_t line = key.find('\n') + 1; line + 64 < key.size(); line += 65)
    EXPECT_FALSE(holds_text("own.sdimg", key.substr(line, 64))) << "a line of the old key";

  const std::string second = carried_by(ImageOracle("own.sdimg")).key_pem;
  ASSERT_EQ(inject({"--id", "unit-7", "--ca", "ca", "--force"}).status, 0);
  EXPECT_FALSE(holds_text("own.sdimg", key_line(second)));
  EXPECT_EQ(sql("ca/ledger.db", "SELECT state FROM devices ORDER BY certificate"),
            "superseded\nplaced");
}

TEST(Inject, FillsAManifestsTemplatesFromSet) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_IMAGE_ORACLE();
  InjectFolder folder;
  folder.manifest["identity_data"] = {{"sn", "{serial}"}};
  folder.save();
  const auto made = inject({"--id", "unit-7", "--manifest", "manifest.json", "--set", "serial=SN=7",
                            "--set", "psk=open sesame"});
  ASSERT_EQ(made.status, 0) << made.err;
  prove_image("own.sdimg", {.id = "unit-7", .psk = "open sesame", .populated_b = false});
  EXPECT_THAT(openssl({"x509", "-noout", "-ext", "subjectAltName"},
                      carried_by(ImageOracle("own.sdimg")).certificate_pem),
              HasSubstr("URI:urn:serial:SN=7"));
  IMPRINT_NEED_COMMAND("sqlite3");
  EXPECT_EQ(sql("ca/ledger.db", "SELECT identity_data, length(public_key) FROM certificates"),
            "{\"sn\":\"SN=7\"}|91");
}

TEST(Inject, RefusesWhatTheManifestCannotFill) {
  IMPRINT_NEED_IMAGES();
  const InjectFolder folder;
  const auto before = listing(".");
  const auto unset =
      inject({"--id", "unit-7", "--manifest", "manifest.json", "--set", "serial=SN7"});
  EXPECT_EQ(unset.status, 2);
  EXPECT_EQ(unset.err,
            "imprint: error: manifest.json: file '/data/wifi/psk' needs column 'psk', "
            "which '--set' does not have\n");
  const auto bad_id = inject({"--id", "../unit", "--ca", "ca"});
  EXPECT_EQ(bad_id.status, 2);
  EXPECT_EQ(bad_id.err, "imprint: error: --id '../unit': only A-Z a-z 0-9 . _ : - are possible\n");
  EXPECT_EQ(listing("."), before);
}

TEST(Inject, PrintsWhatItDidForMachines) {
  IMPRINT_NEED_IMAGES();
  const InjectFolder folder;
  const auto made = inject({"--id", "unit-7", "--ca", "ca", "--json"});
  ASSERT_EQ(made.status, 0) << made.err;
  const Json record = Json::parse(made.out, nullptr, false);
  ASSERT_TRUE(record.is_object()) << made.out;
  EXPECT_EQ(record["id"], "unit-7");
  EXPECT_EQ(record["minted"], true);
  EXPECT_EQ(record["replaced"], false);
  EXPECT_EQ(plain_hex(record["serial"]),
            serial_of(carried_by(ImageOracle("own.sdimg")).certificate_pem));
}

}  // namespace
}  // namespace imprint::cli::test
