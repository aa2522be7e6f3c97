// Disks whose sectors are larger than 512 bytes.

#include <sstream>

#include "image/partition_fixture.hpp"

namespace imprint::image {
namespace {

/// parted's view of a disk with sectors of this size, as view() has it, with the file systems it
/// sees.
[[nodiscard]] std::vector<std::string> parted_view(const fs::path& image, unsigned sector_bytes) {
  const auto said = test::run_command({"env", fmt::format("PARTED_SECTOR_SIZE={}", sector_bytes),
                                       "parted", "-m", "-s", image.native(), "unit B print"});
  EXPECT_EQ(said.status, 0) << said.err;
  std::istringstream lines(said.out);
  std::vector<std::string> out;
  for (std::string line; std::getline(lines, line);) {
    int number = 0;
    unsigned long long start = 0;
    unsigned long long end = 0;
    unsigned long long size = 0;
    if (std::sscanf(line.c_str(), "%d:%lluB:%lluB:%lluB:", &number, &start, &end, &size) == 4)
      out.push_back(fmt::format("{}:{}:{}", number, start, size));
  }
  return out;
}

class LargeSectorTest : public PartitionTableTest {
 protected:
  void SetUp() override {
    IMPRINT_NEED_COMMAND("fdisk");
    IMPRINT_NEED_COMMAND("parted");
    IMPRINT_NEED_COMMAND("mke2fs");
  }

  void make_with_fdisk(std::string_view commands) {
    (void)dir_.write("disk.sdimg", "");
    fs::resize_file(image_, 96 * kMiB);
    const auto made = test::run_command({"fdisk", "-b", "4096", image_.native()}, commands);
    ASSERT_EQ(made.status, 0) << made.err;
  }

  /// Boot at 1 MiB, A, B, data; fdisk aligns to a mebibyte.
  void make_gpt() {
    make_with_fdisk("g\nn\n1\n\n+8M\nn\n2\n\n+16M\nn\n3\n\n+16M\nn\n4\n\n+16M\nw\n");
    make_ext4(image_, 41 * kMiB, 16 * kMiB, {}, {"-L", "data"});
  }
};

TEST_F(LargeSectorTest, AGptIsReadWhereItsHeaderLies) {
  make_gpt();
  const auto table = read_table(image_);
  ASSERT_THAT(table, IsOk());
  EXPECT_EQ(table->kind, TableKind::gpt);
  EXPECT_EQ(table->sector_bytes, 4096U);
  EXPECT_EQ(view(*table), parted_view(image_, 4096));
  EXPECT_EQ(file_systems(*table).back(), "ext4:data");
}

TEST_F(LargeSectorTest, AGptIsReadFromItsBackupHeader) {
  make_gpt();
  poke(image_, 4096, std::string(92, '\0'));
  const auto table = read_table(image_);
  ASSERT_THAT(table, IsOk());
  EXPECT_EQ(table->partitions.size(), 4U);
  EXPECT_EQ(table->sector_bytes, 4096U);
}

TEST_F(LargeSectorTest, TheHeaderOfAnEarlierGptWithSmallSectorsIsPassedOver) {
  make_disk(image_, 96 * kMiB, "label: gpt\nstart=2MiB,size=3MiB\n");
  const auto made = test::run_command({"fdisk", "-b", "4096", "-w", "never", image_.native()},
                                      "g\nn\n1\n\n+8M\nn\n2\n\n+16M\nw\n");
  ASSERT_EQ(made.status, 0) << made.err;
  const auto table = read_table(image_);
  ASSERT_THAT(table, IsOk());
  EXPECT_EQ(view(*table), parted_view(image_, 4096));
}

TEST_F(LargeSectorTest, SaysHowMuchOfATruncatedGptIsMissing) {
  make_gpt();
  fs::resize_file(image_, 60 * kMiB);
  EXPECT_THAT(read_table(image_), FailsWith(Code::invalid_input, "(GPT) ends at byte 100663296"));
}

TEST_F(LargeSectorTest, AnMbrIsReadWhereItsFileSystemsAre) {
  make_with_fdisk("o\nn\np\n1\n\n+8M\nn\np\n2\n\n+16M\nn\ne\n3\n\n\nn\n\n+16M\nw\n");
  const auto expected = parted_view(image_, 4096);
  const auto empty = read_table(image_);  // nothing says how large the sectors are
  ASSERT_THAT(empty, IsOk());
  EXPECT_EQ(empty->sector_bytes, 512U);

  make_ext4(image_, 9 * kMiB, 16 * kMiB, {}, {"-L", "root"});
  const auto table = read_table(image_);
  ASSERT_THAT(table, IsOk());
  EXPECT_EQ(table->sector_bytes, 4096U);
  EXPECT_EQ(table->containers, std::vector{3});
  std::vector<std::string> without_container = expected;
  std::erase_if(without_container, [](const std::string& line) { return line[0] == '3'; });
  EXPECT_EQ(view(*table), without_container);
  EXPECT_EQ(file_systems(*table)[1], "ext4:root");
}

}  // namespace
}  // namespace imprint::image
