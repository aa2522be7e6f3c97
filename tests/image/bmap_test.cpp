#include "imprint/image/bmap.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "image/disk_image.hpp"
#include "support/command.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace imprint::image {
namespace {

using test::FailsWith;
using test::IsOk;
using test::kMiB;
using test::poke;
using test::TempDir;
using testing::HasSubstr;

constexpr std::uint64_t kBlock = 4096;

class Bmap : public testing::Test {
 protected:
  void SetUp() override {
    IMPRINT_NEED_COMMAND("bmaptool");
    // 40 MiB and a tail of 700 bytes: 18 MiB of data, a hole, data at 30 MiB and in the last,
    // partial block.
    (void)dir_.write("golden", std::string(18 * kMiB, 'g'));
    fs::resize_file(golden_, 40 * kMiB + 700);
    poke(golden_, 30 * kMiB, std::string(3 * kBlock, 'h'));
    poke(golden_, 40 * kMiB + 600, "tail");
    ASSERT_EQ(test::run_command({"sync", golden_.native()}).status, 0);
  }

  [[nodiscard]] std::shared_ptr<const BmapTemplate> build(std::vector<DataRange> touched,
                                                          std::vector<DataRange> content = {}) {
    const FileImage image = FileImage::open(golden_).value();
    return BmapTemplate::build(image, touched, content).value();
  }

  /// The device's image, made by plain means.
  void make_device(const std::vector<BmapTemplate::DeviceWrite>& writes) {
    ASSERT_EQ(
        test::run_command({"cp", "--sparse=always", golden_.native(), device_.native()}).status, 0);
    for (const auto& write : writes)
      poke(device_, write.offset, text_of(write.bytes));
  }

  /// bmaptool copies the device's image by this map into a new file: what is not mapped is zero
  /// there.
  [[nodiscard]] test::CommandResult flash(std::string_view bmap) {
    (void)dir_.write("device.bmap", bmap);
    fs::remove(card_);
    return test::run_command({"bmaptool", "copy", "--bmap", (dir_ / "device.bmap").native(),
                              device_.native(), card_.native()});
  }

  TempDir dir_;
  fs::path golden_ = dir_ / "golden";
  fs::path device_ = dir_ / "device";
  fs::path card_ = dir_ / "card";
};

/// In data, over a block boundary, next to each other, in a hole, in the last partial block.
[[nodiscard]] std::vector<DataRange> touched_ranges() {
  return {{5 * kMiB + 100, 256},
          {9 * kMiB - 10, 20},
          {9 * kMiB + kBlock, kBlock},
          {25 * kMiB + 512, 1024},
          {40 * kMiB + 650, 50}};
}

[[nodiscard]] std::vector<BmapTemplate::DeviceWrite> device_writes() {
  return {{40 * kMiB + 655, bytes_of("end")},
          {5 * kMiB + 120, bytes_of("an inode")},
          {9 * kMiB - 5, bytes_of("0123456789")},
          {25 * kMiB + 600, bytes_of("a key in what was a hole")}};
}

TEST_F(Bmap, BmaptoolAcceptsAndFlashesADevice) {
  const auto text = build(touched_ranges())->finish(device_writes());
  ASSERT_THAT(text, IsOk());
  make_device(device_writes());
  const auto flashed = flash(*text);
  EXPECT_EQ(flashed.status, 0) << flashed.out << flashed.err;
  const auto compared = test::run_command({"cmp", card_.native(), device_.native()});
  EXPECT_EQ(compared.status, 0) << compared.out;
  // 18 MiB, 3 blocks of data, the touched block in the hole, the partial block at the end.
  EXPECT_THAT(*text, HasSubstr(fmt::format("<MappedBlocksCount> {} <", (18 * kMiB / kBlock) + 5)));
  EXPECT_THAT(*text, HasSubstr("<BlocksCount> 10241 <"));
}

TEST_F(Bmap, BmaptoolRefusesAnotherDevicesImage) {
  const auto text = build(touched_ranges())->finish(device_writes());
  ASSERT_THAT(text, IsOk());
  make_device(device_writes());
  poke(device_, 25 * kMiB + 600, "A");
  const auto flashed = flash(*text);
  EXPECT_NE(flashed.status, 0);
  EXPECT_NE(flashed.err.find("checksum mismatch for blocks range 6400-6400"), std::string::npos)
      << flashed.err;
}

TEST_F(Bmap, BmaptoolRefusesAnImageDamagedOutsideTheTouchedBlocks) {
  const auto text = build(touched_ranges())->finish(device_writes());
  ASSERT_THAT(text, IsOk());
  make_device(device_writes());
  poke(device_, 17 * kMiB, "x");
  EXPECT_NE(flash(*text).status, 0);
}

TEST_F(Bmap, BmaptoolRefusesATamperedMap) {
  auto text = build(touched_ranges())->finish(device_writes());
  ASSERT_THAT(text, IsOk());
  make_device(device_writes());
  const std::size_t digit = text->rfind("chksum=\"") + 8;
  (*text)[digit] = (*text)[digit] == '0' ? '1' : '0';
  const auto flashed = flash(*text);
  EXPECT_NE(flashed.status, 0);
  EXPECT_NE(flashed.err.find("checksum mismatch"), std::string::npos) << flashed.err;
}

TEST_F(Bmap, OneTemplateServesManyDevices) {
  const auto golden = build(touched_ranges());
  const auto first = golden->finish(device_writes());
  const auto untouched = golden->finish({});
  const auto again = golden->finish(device_writes());
  ASSERT_THAT(first, IsOk());
  ASSERT_THAT(untouched, IsOk());
  EXPECT_EQ(*first, again.value());
  EXPECT_NE(*first, *untouched);
  make_device({});
  const auto flashed = flash(*untouched);
  EXPECT_EQ(flashed.status, 0) << flashed.err;
}

TEST_F(Bmap, ZerosThatWereContentOfTheBaseAreMapped) {
  const auto text = build(touched_ranges(), {{20 * kMiB + 1, 2 * kBlock}})->finish(device_writes());
  ASSERT_THAT(text, IsOk());
  make_device(device_writes());
  const auto flashed = flash(*text);
  ASSERT_EQ(flashed.status, 0) << flashed.err;
  EXPECT_THAT(*text, HasSubstr("\"> 5120-5122 </Range>"));
}

TEST_F(Bmap, AnImageWithNothingTouchedAndAnImageOfHoles) {
  make_device({});
  const auto plain = build({})->finish({});
  ASSERT_THAT(plain, IsOk());
  EXPECT_EQ(flash(*plain).status, 0);
  fs::resize_file(golden_, 0);
  fs::resize_file(golden_, 40 * kMiB + 700);
  const auto empty = build({})->finish({});
  ASSERT_THAT(empty, IsOk());
  EXPECT_NE(empty->find("<MappedBlocksCount> 0 <"), std::string::npos);
}

TEST_F(Bmap, RefusesWritesOutsideTheTouchedBlocks) {
  const auto golden = build(touched_ranges());
  for (const std::uint64_t offset :
       {std::uint64_t{0}, 5 * kMiB - 1, 5 * kMiB + kBlock - 1, 40 * kMiB + 700}) {
    const std::vector<BmapTemplate::DeviceWrite> writes = {{offset, bytes_of("xx")}};
    EXPECT_THAT(golden->finish(writes),
                FailsWith(Code::internal, fmt::format("at {} lies outside", offset)));
  }
}

TEST_F(Bmap, RefusesTouchedRangesBeyondTheImage) {
  const FileImage image = FileImage::open(golden_).value();
  const std::vector<DataRange> beyond = {{40 * kMiB, 701}};
  EXPECT_THAT(BmapTemplate::build(image, beyond), FailsWith(Code::internal, "beyond its end"));
}

TEST_F(Bmap, ReportsAGoldenImageThatCannotBeRead) {
  const FileImage image = FileImage::open(golden_).value();
  fs::resize_file(golden_, 17 * kMiB);
  const std::vector<DataRange> content = {{0, 18 * kMiB}};
  EXPECT_THAT(BmapTemplate::build(image, {}, content),
              FailsWith(Code::corrupt, "golden' ends at byte"));
}

}  // namespace
}  // namespace imprint::image
