#include "imprint/guestfs/appliance.hpp"

#include <gtest/gtest.h>

#include "support/command.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace imprint::guestfs {
namespace {

using test::IsOk;

TEST(Appliance, ReadsAndWrites) {
  test::TempDir dir;
  std::vector<Drive> drives;
  for (const char* kind : {"btrfs", "xfs", "f2fs", "ext4"}) {
    const fs::path file = dir / (std::string(kind) + ".img");
    ASSERT_EQ(test::run_command({"truncate", "-s", "320M", file.string()}).status, 0);
    ASSERT_EQ(test::run_command({std::string("mkfs.") + kind, "-q", file.string()}).status, 0);
    drives.push_back({file});
  }
  auto appliance = Appliance::start(drives);
  ASSERT_THAT(appliance, IsOk());
  for (std::size_t i = 0; i < drives.size(); ++i) {
    SCOPED_TRACE(drives[i].image.string());
    const image::Partition whole{
        .number = 1, .offset_bytes = 0, .size_bytes = 320 << 20, .file_system = "", .label = ""};
    auto source = (*appliance)->source(i);
    auto fs = source->open(whole);
    ASSERT_THAT(fs, IsOk());
    EXPECT_THAT((*fs)->make_directory("/mender", {.mode = 0700}), IsOk());
    const std::string text = "hello";
    EXPECT_THAT(
        (*fs)->write_file("/mender/key", image::MemoryContent(bytes_of(text)), {.mode = 0600}),
        IsOk());
    EXPECT_THAT(
        (*fs)->write_file("/mender/key", image::MemoryContent(bytes_of(text)), {.mode = 0600}),
        IsOk());
    EXPECT_THAT((*fs)->commit(), IsOk());
    fs = source->open(whole);
    ASSERT_THAT(fs, IsOk());
    auto back = (*fs)->read_whole("/mender/key");
    ASSERT_THAT(back, IsOk());
    EXPECT_EQ(text_of(*back), text);
  }
}

}  // namespace
}  // namespace imprint::guestfs
