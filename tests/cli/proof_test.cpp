// A batch's images, judged by programs that know nothing of imprint.

#include <algorithm>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "device_proof.hpp"

namespace imprint::cli::test {
namespace {

using imprint::test::differing_bytes;
using imprint::test::sha256_of_file;

struct Case {
  Variant variant;
  std::string target;
  std::string format;
};

void PrintTo(const Case& test_case, std::ostream* out) {
  *out << (test_case.variant == Variant::populated ? "populated " : "empty-b ") << test_case.target
       << ' ' << test_case.format;
}

class Proof : public testing::TestWithParam<Case> {};

/// Bytes that may differ between the base image and a device's: only those of the partitions that
/// the plan edits.
void expect_changes_only_in(const fs::path& base, const fs::path& image,
                            const std::vector<int>& partitions) {
  const ImageOracle oracle(base);
  const std::vector<std::uint64_t> offsets = differing_bytes(base, image);
  EXPECT_FALSE(offsets.empty());
  for (const std::uint64_t offset : offsets) {
    const auto home = std::ranges::find_if(oracle.partitions(), [&](const auto& p) {
      return offset >= p.offset_bytes && offset < p.offset_bytes + p.size_bytes;
    });
    ASSERT_NE(home, oracle.partitions().end()) << "byte " << offset << " is in no partition";
    ASSERT_THAT(partitions, testing::Contains(home->number)) << "byte " << offset;
  }
}

TEST_P(Proof, EveryImageIsAcceptedByOtherPrograms) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_IMAGE_ORACLE();
  const Case& param = GetParam();
  BatchFolder folder(param.variant, 3);
  folder.manifest["mender_conf"]["target"] = param.target;
  folder.manifest["output"]["format"] = param.format;
  folder.save();
  // A gigabyte takes its time to be read: the dear comparisons are made in half of the cases.
  const bool thorough = param.target == "both" || param.format == "overlay";
  const std::string base_before = thorough ? sha256_of_file("base.sdimg") : std::string();

  const CommandResult made = imprint({"batch", "manifest.json"});
  ASSERT_EQ(made.status, 0) << made.err;
  for (int i = 1; i <= 3; ++i) {
    const std::string id = fmt::format("unit-{}", i);
    fs::path image = fmt::format("out/{}.sdimg", id);
    if (param.format == "overlay") {
      EXPECT_FALSE(fs::exists(image)) << "the store is all there is";
      image = id + ".sdimg";
      const auto full = imprint({"materialize", "out/overlays.db", "--id", id});
      ASSERT_EQ(full.status, 0) << full.err;
    }
    prove_image(image, {.id = id,
                        .psk = fmt::format("passphrase {}", i),
                        .target = param.target,
                        .populated_b = param.variant == Variant::populated});
    if (i == 1 && thorough) {
      // /etc/hostname and /etc/mender/server.crt go to every populated rootfs.
      std::vector<int> edited{kRootfsA, kData};
      if (param.variant == Variant::populated) edited.push_back(kRootfsB);
      expect_changes_only_in("base.sdimg", image, edited);
    }
    const auto verified = imprint({"verify", image.string(), "--ca", "ca/ca-cert.pem"});
    EXPECT_EQ(verified.status, 0) << verified.out << verified.err;
  }
  if (thorough) {
    EXPECT_EQ(sha256_of_file("base.sdimg"), base_before);
  }
}

INSTANTIATE_TEST_SUITE_P(Batch, Proof,
                         testing::Values(Case{Variant::populated, "rootfs", "image"},
                                         Case{Variant::populated, "data", "image"},
                                         Case{Variant::populated, "both", "image"},
                                         Case{Variant::populated, "both", "overlay"},
                                         Case{Variant::empty_b, "rootfs", "image"},
                                         Case{Variant::empty_b, "data", "overlay"},
                                         Case{Variant::empty_b, "both", "image"},
                                         Case{Variant::empty_b, "rootfs", "overlay"}),
                         [](const testing::TestParamInfo<Case>& test) {
                           const bool populated = test.param.variant == Variant::populated;
                           return (populated ? "Populated" : "EmptyB") + test.param.target +
                                  test.param.format;
                         });

TEST(BatchProof, MenderArtifactReadsTheSameFiles) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_IMAGE_ORACLE();
  IMPRINT_NEED_COMMAND("mender-artifact");
  const BatchFolder folder(Variant::populated, 1);
  ASSERT_EQ(imprint({"batch", "manifest.json"}).status, 0);
  const ImageOracle oracle("out/unit-1.sdimg");
  const std::vector<std::pair<std::string, std::string>> files{
      {"/etc/mender/mender.conf", oracle.cat(kRootfsA, "/etc/mender/mender.conf")},
      {"/data/mender/mender-cert-private.pem",
       oracle.cat(kData, "/mender/mender-cert-private.pem")},
  };
  for (const auto& [path, content] : files) {
    const auto read = run_command({"mender-artifact", "cat", "out/unit-1.sdimg:" + path});
    EXPECT_EQ(read.status, 0) << path << ": " << read.err;
    EXPECT_EQ(read.out, content) << path;
  }
}

TEST(BatchProof, BmaptoolWritesTheImageAndRefusesASpoiltOne) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_COMMAND("bmaptool");
  const BatchFolder folder(Variant::empty_b, 2);
  ASSERT_EQ(imprint({"batch", "manifest.json"}).status, 0);
  for (const std::string id : {"unit-1", "unit-2"}) {
    const std::string image = fmt::format("out/{}.sdimg", id);
    const auto copied =
        run_command({"bmaptool", "copy", "--bmap", image + ".bmap", image, "card.img"});
    EXPECT_EQ(copied.status, 0) << copied.err;
    EXPECT_EQ(run_command({"cmp", image, "card.img"}).status, 0) << "what was flashed";
    fs::remove("card.img");
  }

  // One bit of the key: only its own range's checksum can tell.
  const ImageOracle oracle("out/unit-1.sdimg");
  const std::string block = oracle.debugfs(kData, "blocks /mender/mender-cert-private.pem");
  const auto data =
      std::ranges::find_if(oracle.partitions(), [](const auto& p) { return p.number == kData; });
  ASSERT_NE(data, oracle.partitions().end());
  const std::uint64_t at = data->offset_bytes + std::stoull(block) * 1024 + 40;
  const auto flipped = run_command(
      {"dd", "of=out/unit-1.sdimg", "bs=1", fmt::format("seek={}", at), "conv=notrunc"}, "!");
  ASSERT_EQ(flipped.status, 0) << flipped.err;
  const auto refused = run_command(
      {"bmaptool", "copy", "--bmap", "out/unit-1.sdimg.bmap", "out/unit-1.sdimg", "card.img"});
  EXPECT_NE(refused.status, 0);
  EXPECT_THAT(refused.err, testing::HasSubstr("checksum"));
}

TEST(BatchProof, EveryKindOfKeyMakesAcceptedImages) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_IMAGE_ORACLE();
  for (const std::string kind : {"ec:P-256", "ec:P-384", "ec:P-521", "rsa:2048", "ed25519"}) {
    SCOPED_TRACE(kind);
    BatchFolder folder(Variant::empty_b, 2);
    folder.manifest["identity"]["key"] = kind;
    folder.save();
    const auto made = imprint({"batch", "manifest.json"});
    ASSERT_EQ(made.status, 0) << made.err;
    for (int i = 1; i <= 2; ++i) {
      prove_image(fmt::format("out/unit-{}.sdimg", i), {.id = fmt::format("unit-{}", i),
                                                        .psk = fmt::format("passphrase {}", i),
                                                        .populated_b = false});
    }
  }
}

}  // namespace
}  // namespace imprint::cli::test
