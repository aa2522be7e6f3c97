// After a whole batch no private key is left in this process: not as a number in either byte order,
// not as PEM, not of a device and not of the CA. Nor is the CA's passphrase.
//
// What is looked for must not get into the process by looking for it. So the keys are taken out of
// the images by other programs, into files, and read from there into a region that is not searched.

#include <cstring>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "batch_fixture.hpp"
#include "imprint/base/text.hpp"
#include "imprint/crypto/key.hpp"
#include "support/matchers.hpp"
#include "support/memory_scan.hpp"

namespace imprint::cli::test {
namespace {

using imprint::test::IsOk;
using imprint::test::MemoryScan;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kSanitized = true;  // keeps freed memory
#else
constexpr bool kSanitized = false;
#endif

void run(const std::vector<std::string>& command) {
  const CommandResult result = run_command(command);
  ASSERT_EQ(result.status, 0) << testing::PrintToString(command) << '\n' << result.err;
}

void run_imprint(const std::vector<std::string>& arguments) {
  const auto result = imprint(arguments);
  ASSERT_EQ(result.status, 0) << testing::PrintToString(arguments) << '\n' << result.err;
}

/// The device key in an image, as DER in a file, by debugfs and openssl.
void extract_key(const fs::path& image, const fs::path& der) {
  const std::string table = run_command({"sfdisk", "--json", image.string()}).out;
  const auto sector =
      Json::parse(table)["partitiontable"]["partitions"][3]["start"].get<std::uint64_t>();
  const std::string pem = der.string() + ".pem";
  run({"debugfs", "-R", "dump /mender/mender-cert-private.pem " + pem,
       fmt::format("{}?offset={}", image.string(), sector * 512)});
  run({"openssl", "pkcs8", "-topk8", "-nocrypt", "-in", pem, "-outform", "DER", "-out", der});
}

class Residue : public testing::Test {
 protected:
  void SetUp() override {
    if (kSanitized) GTEST_SKIP() << "the address sanitizer keeps freed memory";
    IMPRINT_NEED_IMAGES();
    IMPRINT_NEED_COMMAND("debugfs");
    IMPRINT_NEED_COMMAND("sfdisk");
    folder_.emplace(Variant::empty_b, 40);
  }

  /// The batch's CA, with a key that only this passphrase opens. No ordinary memory sees it.
  void use_encrypted_ca() {
    run({"openssl", "rand", "-hex", "-out", "passphrase", "24"});
    run_imprint({"ca", "init", "sealed", "--cn", "Sealed", "--passphrase", "file:passphrase"});
    folder_->manifest["authority"] = {{"certificate", "sealed/ca-cert.pem"},
                                      {"key", "sealed/ca-private.key"},
                                      {"passphrase", "file:passphrase"}};
    folder_->save();
  }

  void look_for_ca() {
    run({"openssl", "pkcs8", "-topk8", "-nocrypt", "-in", "sealed/ca-private.key", "-passin",
         "file:passphrase", "-outform", "DER", "-out", "sealed.der"});
    scan_.look_for_key("the CA", "sealed.der");
    scan_.look_for_text("the passphrase", scan_.read("passphrase").first(48));
  }

  void look_for_image(const fs::path& image) {
    const std::string der = image.filename().string() + ".der";
    extract_key(image, der);
    scan_.look_for_key(image.filename(), der);
  }

  void look_for_overlay(const std::string& store, const std::string& id) {
    const std::string image = id + "-overlay.img";
    run({binary(), "materialize", store, "--id", id, "--output", image});
    look_for_image(image);
    fs::remove(image);
  }

  std::optional<BatchFolder> folder_;
  MemoryScan scan_;
};

TEST_F(Residue, TheSearchFindsWhatIsThere) {
  run({"openssl", "pkcs8", "-topk8", "-nocrypt", "-in", "ca/ca-private.key", "-outform", "DER",
       "-out", "ca.der"});
  scan_.look_for_key("key", "ca.der");
  ASSERT_THAT(scan_.find(), IsEmpty()) << "ca init left it";

  // A live key: numbers in OpenSSL's memory, backwards.
  {
    crypto::SecretBytes pem(fs::file_size("ca/ca-private.key"));
    const auto content = scan_.read("ca/ca-private.key");
    std::memcpy(pem.data(), content.data(), pem.size());
    const auto key = crypto::PrivateKey::from_pem(pem.view());
    ASSERT_THAT(key, IsOk());
    const std::string found = testing::PrintToString(scan_.find());
    EXPECT_THAT(found, HasSubstr("key, scalar backwards, its begin"));
    EXPECT_THAT(found, HasSubstr("key, PEM line 1"));
    EXPECT_THAT(found, HasSubstr("key, PEM line 2"));
  }
  EXPECT_THAT(scan_.find(), IsEmpty()) << "and nothing of it when it is gone";

  // In ordinary memory that was given back without wiping, as a program would that does not care.
  const auto der = scan_.read("ca.der");
  auto* heap = static_cast<std::byte*>(std::malloc(200'000));
  std::memcpy(heap + 100'000, der.data(), der.size());
  EXPECT_THAT(testing::PrintToString(scan_.find()), HasSubstr("key, scalar, its end"));
  crypto::wipe(heap, 200'000);
  std::free(heap);
  EXPECT_THAT(scan_.find(), IsEmpty());
}

TEST_F(Residue, NothingIsLeftAfterAnOverlayBatch) {
  use_encrypted_ca();
  run_imprint({"batch", "manifest.json", "--format", "overlay", "--jobs", "2"});
  look_for_ca();
  for (const int device : {1, 2, 7, 20, 39, 40})
    look_for_overlay("out/overlays.db", fmt::format("unit-{}", device));
  EXPECT_THAT(scan_.find(), IsEmpty()) << "of " << scan_.count();
}

TEST_F(Residue, NothingIsLeftAfterAnImageBatch) {
  use_encrypted_ca();
  folder_->write_devices(4);
  run_imprint({"batch", "manifest.json", "--jobs", "2"});
  look_for_ca();
  for (int device = 1; device <= 4; ++device)
    look_for_image(fmt::format("out/unit-{}.sdimg", device));
  EXPECT_THAT(scan_.find(), IsEmpty()) << "of " << scan_.count();
}

TEST_F(Residue, NothingIsLeftOfRsaKeys) {
  folder_->manifest["identity"]["key"] = "rsa:2048";
  folder_->save();
  folder_->write_devices(3);
  run_imprint({"batch", "manifest.json", "--format", "overlay", "--jobs", "2"});
  for (int device = 1; device <= 3; ++device)
    look_for_overlay("out/overlays.db", fmt::format("unit-{}", device));
  EXPECT_THAT(scan_.find(), IsEmpty()) << "of " << scan_.count();
}

TEST_F(Residue, NothingIsLeftAfterInject) {
  use_encrypted_ca();
  run({"cp", "--sparse=always", base_image(Variant::empty_b), "one.sdimg"});
  run_imprint({"inject", "one.sdimg", "--id", "unit-1", "--ca", "sealed", "--ca-passphrase",
               "file:passphrase"});
  look_for_ca();
  look_for_image("one.sdimg");
  EXPECT_THAT(scan_.find(), IsEmpty()) << "of " << scan_.count();
}

TEST_F(Residue, NothingIsLeftAfterAnotherOnesKeyWasInjected) {
  run({"openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out",
       "device.key"});
  fs::permissions("device.key", fs::perms::owner_read | fs::perms::owner_write);
  run({"openssl", "req", "-new", "-x509", "-key", "device.key", "-subj", "/CN=unit-1", "-addext",
       "basicConstraints=critical,CA:FALSE", "-out", "device.crt"});
  run({"cp", "--sparse=always", base_image(Variant::empty_b), "one.sdimg"});
  run_imprint(
      {"inject", "one.sdimg", "--id", "unit-1", "--cert", "device.crt", "--key", "device.key"});
  run_imprint({"verify", "one.sdimg", "--ca", "device.crt"});
  look_for_image("one.sdimg");
  EXPECT_THAT(scan_.find(), IsEmpty()) << "of " << scan_.count();
}

}  // namespace
}  // namespace imprint::cli::test
