// Root file systems that must not be written.

#include "image/partition_fixture.hpp"

namespace imprint::image {
namespace {

class SealTest : public PartitionTableTest {
 protected:
  static constexpr std::uint64_t kRootBytes = 4 * kMiB;

  void SetUp() override {
    IMPRINT_NEED_COMMAND("sfdisk");
    IMPRINT_NEED_COMMAND("mke2fs");
    // A, B, two places for hashes, data; A's and B's file systems are smaller than their partition.
    make_disk(image_, 64 * kMiB,
              "label: gpt\nstart=8MiB,size=8MiB\nstart=16MiB,size=8MiB\nstart=24MiB,size=1MiB\n"
              "start=25MiB,size=1MiB\nstart=32MiB,size=8MiB\n");
    for (const std::uint64_t offset : {8U, 16U, 32U})
      make_ext4(image_, offset * kMiB, kRootBytes);
  }

  /// A hash tree over the root at 8 MiB, made by veritysetup, copied to this place.
  void put_tree(std::uint64_t offset_bytes) {
    const Bytes root = read_range(8 * kMiB, kRootBytes);
    const fs::path data = dir_.write("root", text_of(root));
    const fs::path tree = dir_.write("tree", "");
    const auto made = test::run_command({"veritysetup", "format", data.native(), tree.native()});
    ASSERT_EQ(made.status, 0) << made.err;
    const Bytes hashes = read_file(tree).value();
    ASSERT_LE(hashes.size(), kMiB);
    poke(image_, offset_bytes, text_of(hashes));
  }

  [[nodiscard]] Bytes read_range(std::uint64_t offset, std::uint64_t size) const {
    Bytes bytes(size);
    EXPECT_TRUE(FileImage::open(image_)->read(offset, bytes).has_value());
    return bytes;
  }

  [[nodiscard]] std::vector<std::string> seals() const {
    std::vector<std::string> out;
    const auto table = read_table(image_);
    EXPECT_THAT(table, IsOk());
    if (!table) return out;
    for (const Partition& partition : table->partitions)
      out.push_back(partition.sealed);
    return out;
  }
};

TEST_F(SealTest, NothingIsSealedWithoutAReason) {
  EXPECT_EQ(seals(), (std::vector{""s, ""s, ""s, ""s, ""s}));
}

TEST_F(SealTest, HashesInPartitionsOfTheirOwnSealTheRootsBeforeThem) {
  IMPRINT_NEED_COMMAND("veritysetup");
  put_tree(24 * kMiB);
  EXPECT_EQ(seals(), (std::vector{""s, "is protected by dm-verity (partition 3)"s, ""s, ""s, ""s}));
  put_tree(25 * kMiB);
  EXPECT_EQ(seals(), (std::vector{"is protected by dm-verity (partition 4)"s,
                                  "is protected by dm-verity (partition 3)"s, ""s, ""s, ""s}));
}

TEST_F(SealTest, HashesBehindTheFileSystemSealIt) {
  IMPRINT_NEED_COMMAND("veritysetup");
  put_tree(8 * kMiB + kRootBytes);
  EXPECT_EQ(seals()[0], "is protected by dm-verity");
  EXPECT_EQ(seals()[1], "");
}

TEST_F(SealTest, HashesBehindASquashfsSealIt) {
  IMPRINT_NEED_COMMAND("veritysetup");
  IMPRINT_NEED_COMMAND("mksquashfs");
  const fs::path squash = dir_ / "root.squashfs";
  (void)dir_.write("content", "x");
  const auto made = test::run_command(
      {"mksquashfs", (dir_ / "content").native(), squash.native(), "-quiet", "-no-progress"});
  ASSERT_EQ(made.status, 0) << made.err;
  poke(image_, 8 * kMiB, std::string(2048, '\0'));
  poke(image_, 8 * kMiB, text_of(read_file(squash).value()));
  EXPECT_EQ(seals()[0], "");
  put_tree(8 * kMiB + fs::file_size(squash));
  EXPECT_EQ(seals()[0], "is protected by dm-verity");
}

TEST_F(SealTest, FeaturesThatForbidWritingSeal) {
  IMPRINT_NEED_COMMAND("debugfs");
  for (const auto& [offset, feature] :
       {std::pair{8, "read-only"}, std::pair{16, "shared_blocks"}}) {
    const auto done = test::run_command(
        {"debugfs", "-w", "-R", fmt::format("feature {}", feature),
         fmt::format("{}?offset={}", image_.native(), static_cast<std::uint64_t>(offset) * kMiB)});
    ASSERT_EQ(done.status, 0) << done.err;
  }
  EXPECT_EQ(seals()[0], "has the ext4 feature 'read-only'");
  EXPECT_EQ(seals()[1], "has the ext4 feature 'shared_blocks'");
}

}  // namespace
}  // namespace imprint::image
