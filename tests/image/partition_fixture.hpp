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

using std::string_literals::operator""s;
using test::FailsWith;
using test::IsOk;
using test::kMiB;
using test::make_disk;
using test::make_ext4;
using test::poke;
using test::TempDir;

inline Result<PartitionTable> read_table(const fs::path& path) {
  const auto image = IMPRINT_TRY(FileImage::open(path));
  return read_partition_table(image);
}

[[nodiscard]] inline std::vector<std::string> view(const PartitionTable& table) {
  std::vector<std::string> out;
  for (const Partition& partition : table.partitions) {
    out.push_back(
        fmt::format("{}:{}:{}", partition.number, partition.offset_bytes, partition.size_bytes));
  }
  return out;
}

[[nodiscard]] inline std::vector<std::string> file_systems(const PartitionTable& table) {
  std::vector<std::string> out;
  for (const Partition& partition : table.partitions) {
    out.push_back(partition.file_system + ":" + partition.label);
  }
  return out;
}

class PartitionTableTest : public testing::Test {
 protected:
  void SetUp() override { IMPRINT_NEED_COMMAND("sfdisk"); }

  /// 64 MiB with boot, A, B and data as four primaries.
  void make_mbr(const fs::path& path) {
    make_disk(path, 64 * kMiB,
              "label: dos\nstart=8MiB,size=8MiB,type=c,bootable\nstart=16MiB,size=16MiB,type=83\n"
              "start=32MiB,size=16MiB,type=83\nstart=48MiB,size=16MiB,type=83\n");
  }

  TempDir dir_;
  fs::path image_ = dir_ / "disk.sdimg";
};

}  // namespace imprint::image
