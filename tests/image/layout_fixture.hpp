#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "image/disk_image.hpp"
#include "imprint/base/file.hpp"
#include "imprint/image/partition.hpp"
#include "support/command.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace imprint::image {

using test::ExtContent;
using test::kMiB;
using test::make_disk;
using test::poke;
using test::TempDir;

inline constexpr std::uint64_t kPartitionBytes = 4 * kMiB;

[[nodiscard]] inline ExtContent data_content() {
  return {{{"mender/device_type", "device_type=x\n"}}, {}};
}

[[nodiscard]] inline ExtContent rootfs_content() {
  return {{{"etc/mender/mender.conf", "{}"}}, {"data", "usr"}};
}

class LayoutTest : public testing::Test {
 protected:
  void SetUp() override {
    IMPRINT_NEED_COMMAND("sfdisk");
    IMPRINT_NEED_COMMAND("mke2fs");
  }

  /// 4 MiB partitions from 8 MiB on, one after the other: as many as asked for (GPT beyond four).
  void make_table(int count) {
    std::string script = count > 4 ? "label: gpt\n" : "label: dos\n";
    for (int i = 1; i <= count; ++i)
      script += fmt::format("start={}MiB,size=4MiB\n", 4 + 4 * i);
    make_disk(image_, 64 * kMiB, script);
  }

  [[nodiscard]] static std::uint64_t offset_of(int number) {
    return (4 + 4 * static_cast<std::uint64_t>(number)) * kMiB;
  }

  void put(int number, const ExtContent& content, const std::vector<std::string>& options = {}) {
    test::make_ext4(image_, offset_of(number), kPartitionBytes, content, options);
  }

  void put_vfat(int number) {
    IMPRINT_NEED_COMMAND("mkfs.vfat");
    const auto made =
        test::run_command({"mkfs.vfat", "--offset", std::to_string(offset_of(number) / 512),
                           image_.native(), "4096"});
    ASSERT_EQ(made.status, 0) << made.err;
  }

  void debugfs(int number, const std::string& request) {
    const auto done =
        test::run_command({"debugfs", "-w", "-R", request,
                           fmt::format("{}?offset={}", image_.native(), offset_of(number))});
    ASSERT_EQ(done.status, 0) << done.err;
  }

  /// mkfs's own file in place of the partition.
  void put_other(int number, const std::vector<std::string>& mkfs, std::uint64_t size_bytes = 0) {
    const fs::path file = dir_ / "other";
    (void)dir_.write("other", "");
    fs::resize_file(file, size_bytes);
    std::vector<std::string> command = mkfs;
    command.push_back(file.native());
    const auto made = test::run_command(command);
    ASSERT_EQ(made.status, 0) << made.err << made.out;
    poke(image_, offset_of(number), text_of(read_file(file).value()));
  }

  /// Squashfs of one small file.
  void put_squashfs(int number) {
    const fs::path file = dir_ / "root.squashfs";
    const fs::path content = dir_.write("content", "x");
    fs::remove(file);
    const auto made = test::run_command(
        {"mksquashfs", content.native(), file.native(), "-quiet", "-no-progress"});
    ASSERT_EQ(made.status, 0) << made.err;
    poke(image_, offset_of(number), text_of(read_file(file).value()));
  }

  /// What only the first bytes tell: a container of LUKS, version 1.
  void put_luks(int number) {
    poke(image_, offset_of(number), std::string_view("LUKS\xba\xbe\0\1", 8));
  }

  void make_bare() {
    (void)dir_.write("disk.sdimg", "");
    fs::resize_file(image_, kPartitionBytes);
  }

  [[nodiscard]] Result<Layout> layout(const LayoutChoice& choice = {}) const {
    const auto image = IMPRINT_TRY(FileImage::open(image_));
    return find_layout(image, choice);
  }

  /// "data=4 a=2+ b=3": `+` where populated, `-` for none; the boot partition where there is one.
  [[nodiscard]] std::string roles(const LayoutChoice& choice = {}) const {
    const auto found = layout(choice);
    if (!found) return found.error().message();
    const auto part = [](const std::optional<Partition>& partition, bool populated) {
      if (!partition) return std::string("-");
      return std::to_string(partition->number) + (populated ? "+" : "");
    };
    return fmt::format("data={} a={} b={}{}", part(found->data, false),
                       part(found->rootfs_a, found->rootfs_a_populated),
                       part(found->rootfs_b, found->rootfs_b_populated),
                       found->boot ? fmt::format(" boot={}", found->boot->number) : "");
  }

  TempDir dir_;
  fs::path image_ = dir_ / "disk.sdimg";
};

}  // namespace imprint::image
