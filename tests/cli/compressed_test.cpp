// Base images as builds hand them over: compressed.

#include <csignal>
#include <fstream>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "device_proof.hpp"
#include "support/process.hpp"

namespace imprint::cli::test {
namespace {

using imprint::test::Process;
using imprint::test::sha256_of_file;
using imprint::test::wait_until;
using testing::HasSubstr;
using testing::IsEmpty;

/// A folder whose manifest names `base.sdimg.zst`, and leaves the devices' names to imprint.
class CompressedFolder : public BatchFolder {
 public:
  explicit CompressedFolder(int devices = 2) : BatchFolder(Variant::empty_b, devices) {
    const auto made = run_command(
        {"zstd", "-q", "-f", "-1", fs::canonical("base.sdimg").string(), "-o", "base.sdimg.zst"});
    EXPECT_EQ(made.status, 0) << made.err;
    manifest["image"] = "base.sdimg.zst";
    manifest["output"].erase("name");
    save();
  }
};

#define IMPRINT_NEED_COMPRESSED() \
  IMPRINT_NEED_IMAGES();          \
  IMPRINT_NEED_IMAGE_ORACLE();    \
  IMPRINT_NEED_COMMAND("zstd")

Json report(const fs::path& output) {
  return Json::parse(slurp(output / "report.json"));
}

void expect_same_file(const fs::path& a, const fs::path& b) {
  const auto compared = run_command({"cmp", a.string(), b.string()});
  EXPECT_EQ(compared.status, 0) << compared.out << compared.err;
}

fs::path golden_image(const fs::path& output) {
  return output / ".imprint" /
         fmt::format("golden-{}.img",
                     report(output)["plan"]["golden_digest"].get<std::string>().substr(0, 16));
}

TEST(CompressedBase, GivesTheImagesOfTheDecompressedOne) {
  IMPRINT_NEED_COMPRESSED();
  const CompressedFolder folder;
  const auto packed = imprint({"batch", "manifest.json"});
  ASSERT_EQ(packed.status, 0) << packed.err;
  const auto plain =
      imprint({"batch", "manifest.json", "--image", "base.sdimg", "--output", "plain"});
  ASSERT_EQ(plain.status, 0) << plain.err;
  EXPECT_EQ(report("out")["plan"]["image_digest"], report("plain")["plan"]["image_digest"]);
  EXPECT_EQ(report("out")["plan"]["golden_digest"], report("plain")["plan"]["golden_digest"]);
  expect_same_file(golden_image("out"), golden_image("plain"));

  const auto verified =
      imprint({"verify", "out/unit-1.sdimg", "out/unit-2.sdimg", "--ca", "ca/ca-cert.pem"});
  EXPECT_EQ(verified.status, 0) << verified.out << verified.err;
  const ImageOracle oracle("out/unit-1.sdimg");
  for (const int partition : {kRootfsA, kRootfsB, kData})
    EXPECT_EQ(oracle.complaints(partition), "");
  EXPECT_THAT(leftovers("."), IsEmpty());

  const auto again = imprint({"batch", "manifest.json"});
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("0 of 2 devices done in"));
  EXPECT_THAT(again.err, HasSubstr("2 done before"));
}

TEST(CompressedBase, BlockMapsListEveryBlock) {
  IMPRINT_NEED_COMPRESSED();
  IMPRINT_NEED_COMMAND("bmaptool");
  const CompressedFolder folder(1);
  const auto made = imprint({"batch", "manifest.json"});
  ASSERT_EQ(made.status, 0) << made.err;
  EXPECT_THAT(made.err, HasSubstr("'base.sdimg.zst' is compressed, which does not tell holes from "
                                  "zeros: block maps list every block"));
  const std::string bmap = slurp("out/unit-1.sdimg.bmap");
  const std::uint64_t blocks = fs::file_size("out/unit-1.sdimg") / 4096;
  EXPECT_THAT(bmap, HasSubstr(fmt::format("<MappedBlocksCount> {} <", blocks)));
  const auto flashed = run_command({"bmaptool", "-q", "copy", "out/unit-1.sdimg", "card"});
  EXPECT_EQ(flashed.status, 0) << flashed.err;
  expect_same_file("out/unit-1.sdimg", "card");
}

TEST(CompressedBase, MaterializesByteForByte) {
  IMPRINT_NEED_COMPRESSED();
  const CompressedFolder folder;
  const auto made = imprint({"batch", "manifest.json", "--format", "overlay", "--limit", "1"});
  ASSERT_EQ(made.status, 0) << made.err;
  const auto from_store = imprint({"materialize", "out/overlays.db", "--id", "unit-1"});
  ASSERT_EQ(from_store.status, 0) << from_store.err;
  const auto from_plain = imprint({"materialize", "out/overlays.db", "--id", "unit-1", "--base",
                                   "base.sdimg", "--output", "plain.sdimg"});
  ASSERT_EQ(from_plain.status, 0) << from_plain.err;
  expect_same_file("unit-1.sdimg", "plain.sdimg");
  // Holes are lost in compression, so a flasher is told of every block.
  EXPECT_THAT(
      slurp("unit-1.sdimg.bmap"),
      HasSubstr(fmt::format("<MappedBlocksCount> {} <", fs::file_size("unit-1.sdimg") / 4096)));

  // The store is the same one for the decompressed image.
  const auto rest =
      imprint({"batch", "manifest.json", "--format", "overlay", "--image", "base.sdimg"});
  EXPECT_EQ(rest.status, 0) << rest.err;
  const auto second = imprint({"materialize", "out/overlays.db", "--id", "unit-2", "--base",
                               "base.sdimg.zst", "--output", "."});
  EXPECT_EQ(second.status, 0) << second.err;
  const auto verified =
      imprint({"verify", "unit-1.sdimg", "unit-2.sdimg", "--ca", "ca/ca-cert.pem"});
  EXPECT_EQ(verified.status, 0) << verified.out;
  EXPECT_THAT(leftovers("."), IsEmpty());
}

TEST(CompressedBase, DryRunWritesNothing) {
  IMPRINT_NEED_COMPRESSED();
  const CompressedFolder folder;
  const auto before = listing(".");
  const auto planned = imprint({"batch", "manifest.json", "--dry-run"});
  EXPECT_EQ(planned.status, 0) << planned.err;
  EXPECT_EQ(listing("."), before);
}

TEST(CompressedBase, DryRunDecompressesWhereTemporaryFilesGo) {
  IMPRINT_NEED_COMPRESSED();
  const CompressedFolder folder;
  ASSERT_EQ(::setenv("TMPDIR", "ca/ca-cert.pem", 1), 0);
  const auto planned = imprint({"batch", "manifest.json", "--dry-run"});
  ::unsetenv("TMPDIR");
  EXPECT_EQ(planned.status, 2);
  EXPECT_EQ(planned.err,
            "imprint: error: manifest.json: /image: decompressing 'base.sdimg.zst': making a file "
            "in 'ca/ca-cert.pem': Not a directory\n");
}

TEST(CompressedImage, IsInjectedIntoAnOutput) {
  IMPRINT_NEED_COMPRESSED();
  const CompressedFolder folder;
  const auto before = sha256_of_file("base.sdimg.zst");
  const auto in_place = imprint({"inject", "base.sdimg.zst", "--id", "unit-7", "--ca", "ca"});
  EXPECT_EQ(in_place.status, 2);
  EXPECT_EQ(in_place.err,
            "imprint: error: 'base.sdimg.zst' is compressed with zstd: give --output, where the "
            "new image is written uncompressed\n");
  EXPECT_FALSE(fs::exists("ca/ledger.db"));

  const auto made = imprint(
      {"inject", "base.sdimg.zst", "--id", "unit-7", "--ca", "ca", "--output", "unit-7.sdimg"});
  ASSERT_EQ(made.status, 0) << made.err;
  const auto verified = imprint({"verify", "unit-7.sdimg", "--ca", "ca/ca-cert.pem"});
  EXPECT_EQ(verified.status, 0) << verified.out;
  EXPECT_EQ(sha256_of_file("base.sdimg.zst"), before);
}

TEST(CompressedImage, IsVerified) {
  IMPRINT_NEED_COMPRESSED();
  const CompressedFolder folder;
  ASSERT_EQ(imprint({"inject", "base.sdimg.zst", "--id", "unit-7", "--ca", "ca", "--output",
                     "unit-7.sdimg"})
                .status,
            0);
  ASSERT_EQ(run_command({"zstd", "-q", "-1", "--rm", "unit-7.sdimg"}).status, 0);
  const auto good = imprint({"verify", "unit-7.sdimg.zst", "--ca", "ca/ca-cert.pem"});
  EXPECT_EQ(good.status, 0) << good.out << good.err;
  EXPECT_THAT(good.out, HasSubstr("unit-7.sdimg.zst: good\n"));

  fs::resize_file("unit-7.sdimg.zst", fs::file_size("unit-7.sdimg.zst") - 100);
  const auto cut = imprint({"verify", "unit-7.sdimg.zst"});
  EXPECT_EQ(cut.status, 1);
  EXPECT_THAT(cut.out, HasSubstr("'unit-7.sdimg.zst' is cut off: its zstd data has no end; get it "
                                 "again"));
}

/// Whether a process handles a signal by now, by the kernel's word.
bool catches(pid_t pid, int signal) {
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  for (std::string word; status >> word;) {
    if (word != "SigCgt:") continue;
    std::uint64_t mask = 0;
    status >> std::hex >> mask;
    return ((mask >> (signal - 1)) & 1) != 0;
  }
  return false;
}

/// Compressed so that it takes its time to come out again: a second for each of its GiB.
class Slow : public BatchFolder {
 public:
  Slow() : BatchFolder(Variant::empty_b, 1) {
    const auto packed = run_command({"gzip", "-1", "-c", fs::canonical("base.sdimg").string()});
    EXPECT_EQ(packed.status, 0) << packed.err;
    std::ofstream file("base.sdimg.gz", std::ios::binary);
    for (int i = 0; i < 4; ++i)
      file << packed.out;
    manifest["image"] = "base.sdimg.gz";
    save();
  }
};

TEST(CompressedBase, AnInterruptionEndsDecompression) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_COMMAND("gzip");
  const Slow folder;
  const auto before = listing(".");
  for (const int signal : {SIGINT, SIGTERM}) {
    Process run({binary(), "batch", "manifest.json"}, "log");
    ASSERT_TRUE(wait_until([&] { return catches(run.pid(), signal) || !run.running(); }));
    run.signal(signal);
    EXPECT_EQ(run.wait(), 130);
    EXPECT_EQ(
        slurp("log"),
        "imprint: error: manifest.json: /image: decompressing 'base.sdimg.gz': interrupted\n");
    fs::remove("log");
  }
  EXPECT_EQ(listing("."), before);
}

TEST(CompressedBase, AKilledRunLeavesNothing) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_COMMAND("gzip");
  const Slow folder;
  const auto before = listing(".");
  Process run({binary(), "batch", "manifest.json"}, "log");
  const auto decompresses = [&run] {
    std::error_code ignored;
    for (const auto& entry :
         fs::directory_iterator(fmt::format("/proc/{}/fd", run.pid()), ignored)) {
      if (fs::read_symlink(entry.path(), ignored).string().ends_with("(deleted)")) return true;
    }
    return false;
  };
  ASSERT_TRUE(wait_until([&] { return decompresses() || !run.running(); }));
  ASSERT_TRUE(run.running()) << slurp("log");
  run.signal(SIGKILL);
  run.wait();
  fs::remove("log");
  EXPECT_EQ(listing("."), before);
}

}  // namespace
}  // namespace imprint::cli::test
