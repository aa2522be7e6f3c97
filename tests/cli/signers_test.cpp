// Batches whose CA key is not a file: in a token, and behind a command. Judged by openssl.

#include <cstdlib>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "device_proof.hpp"
#include "refusal.hpp"
#include "support/soft_token.hpp"

namespace imprint::cli::test {
namespace {

using imprint::test::openssl;
using imprint::test::SoftHsm;

const std::string kExample = std::string(IMPRINT_MANIFESTS) + "/sign-with-openssl";

/// Runs the batch into a store and lets openssl verify what a device would carry.
void expect_sound_batch(const BatchFolder& folder, int devices) {
  folder.save();
  const CommandResult made = imprint({"batch", "manifest.json", "--jobs", "2"});
  ASSERT_EQ(made.status, 0) << made.err;
  const auto rows = read_csv("out/devices.csv");
  ASSERT_EQ(rows.size(), static_cast<std::size_t>(devices));
  const CommandResult full =
      imprint({"materialize", "out/overlays.db", "--id", "unit-1", "--output", "one.sdimg"});
  ASSERT_EQ(full.status, 0) << full.err;
  const Carried carried = carried_by(ImageOracle("one.sdimg"));
  folder.write("device.pem", carried.certificate_pem);
  folder.write("device.key", carried.key_pem);
  EXPECT_EQ(openssl({"verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", "ca/ca-cert.pem",
                     "device.pem"}),
            "device.pem: OK\n");
  EXPECT_EQ(openssl({"pkey", "-in", "device.key", "-pubout"}),
            openssl({"x509", "-in", "device.pem", "-noout", "-pubkey"}));
}

TEST(Signers, ATokenSignsABatch) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_IMAGE_ORACLE();
  IMPRINT_NEED_SOFTHSM();
  const SoftHsm hsm;
  BatchFolder folder(Variant::empty_b, 20);
  folder.manifest["output"] = {{"directory", "out"}, {"format", "overlay"}};
  hsm.make_token("device-ca");
  hsm.import_key("device-ca", "ca/ca-private.key", "ca-key");
  fs::remove("ca/ca-private.key");
  folder.write("pin", std::string(SoftHsm::kPin) + "\n");
  fs::permissions("pin", fs::perms{0600});
  folder.manifest["authority"] = {{"certificate", "ca/ca-cert.pem"},
                                  {"key", "pkcs11:token=device-ca;object=ca-key"},
                                  {"pin", "file:pin"}};
  expect_sound_batch(folder, 20);
}

TEST(Signers, ACommandSignsABatch) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_IMAGE_ORACLE();
  for (const char* const mode : {"coprocess", "call"}) {
    SCOPED_TRACE(mode);
    BatchFolder folder(Variant::empty_b, 10);
    folder.manifest["output"] = {{"directory", "out"}, {"format", "overlay"}};
    fs::rename("ca/ca-private.key", "hidden.key");
    fs::copy_file(kExample, "sign");
    folder.manifest["authority"] = {{"certificate", "ca/ca-cert.pem"},
                                    {"command", {"./sign", "hidden.key"}},
                                    {"command_mode", mode}};
    expect_sound_batch(folder, 10);
  }
}

TEST(Signers, ACaFolderCanSayThatItsKeyIsBehindACommand) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_IMAGE_ORACLE();
  BatchFolder folder(Variant::empty_b, 2);
  folder.manifest["output"] = {{"directory", "out"}, {"format", "overlay"}};
  fs::rename("ca/ca-private.key", "hidden.key");
  fs::copy_file(kExample, "ca/sign");
  folder.write("ca/authority.json",
               R"({"certificate": "ca-cert.pem", "command": ["./sign", "hidden.key"]})");
  folder.manifest["authority"] = "ca";
  expect_sound_batch(folder, 2);
}

TEST(Signers, AFailedSignatureFailsItsDeviceOnly) {
  IMPRINT_NEED_IMAGES();
  BatchFolder folder(Variant::empty_b, 6);
  folder.manifest["output"] = {{"directory", "out"}, {"format", "overlay"}};
  // Up to five signatures are tests and measurements before the batch; the sixth is a device's.
  folder.write("sign", fmt::format("echo x >>count\n[ $(wc -l <count) = 6 ] && exit 1\n"
                                   "exec {} ca/ca-private.key\n",
                                   kExample));
  folder.manifest["authority"] = {
      {"certificate", "ca/ca-cert.pem"}, {"command", {"sh", "sign"}}, {"command_mode", "call"}};
  folder.save();
  const CommandResult made = imprint({"batch", "manifest.json", "--jobs", "1"});
  EXPECT_EQ(made.status, 3) << made.err;
  EXPECT_EQ(read_csv("out/devices.csv").size(), 5U);
  EXPECT_EQ(read_csv("out/failed.csv").size(), 1U);
  EXPECT_THAT(slurp("out/failed.csv"),
              testing::HasSubstr(",signing with the command 'sh': it ended with exit status 1\n"));
  const CommandResult again = imprint({"batch", "manifest.json"});
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(read_csv("out/devices.csv").size(), 6U);
}

TEST(Signers, AreRefusedBeforeAnythingIsWritten) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_IMAGE_ORACLE();
  const auto authority = [](Json value) {
    return [value](BatchFolder& folder) {
      folder.manifest["authority"] = value;
      folder.save();
    };
  };
  expect_refusals({
      {"missing program",
       authority({{"certificate", "ca/ca-cert.pem"}, {"command", {"nowhere/sign"}}}),
       "signing command './nowhere/sign': a test signature: signing with the command "
       "'./nowhere/sign': starting './nowhere/sign': No such file or directory"},
      {"pin in the URI",
       authority({{"certificate", "ca/ca-cert.pem"}, {"key", "pkcs11:token=x?pin-value=1234"}}),
       "manifest.json: /authority/key: it holds a pin-value, which everybody can read who reads "
       "the URI; say where the PIN is instead ('pin' in a manifest, or pin-source)"},
      {"no folder", authority("nowhere"),
       "manifest.json: /authority: 'nowhere' is no folder; name a CA's folder"},
  });
}

}  // namespace
}  // namespace imprint::cli::test
