// Everything that needs an appliance and nothing of the pipeline, with one launch. What was written
// is judged by the file systems' own checkers, and by the bytes of the image files.

#include "appliance_fixture.hpp"

namespace imprint::guestfs {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(GuestTest, ClonesOfOneDiskKeepTheirOwnBytes) {
  const auto image = image::FileImage::open(file_of(first_clone));
  ASSERT_THAT(image, IsOk());
  const auto table = image::read_partition_table(*image);
  ASSERT_THAT(table, IsOk());
  ASSERT_EQ(table->partitions.size(), 2U);
  const Partition data = table->partitions[1];
  // Forwards, then backwards: a file system that was seen before is older than what it is
  // mistaken for, or newer.
  for (std::size_t i = 0; i < kClones; ++i) {
    auto file_system = open(i, data);
    ASSERT_THAT(file_system, IsOk()) << i;
    EXPECT_THAT(*(*file_system)->list("/"), testing::IsEmpty()) << i;
    for (std::size_t extra = 0; extra <= i; ++extra)
      EXPECT_THAT((*file_system)->make_directory(fmt::format("/d{}", extra), {}), IsOk());
    EXPECT_THAT(
        (*file_system)
            ->write_file("/key", MemoryContent(bytes_of(secret(fmt::format("first {}", i)))), {}),
        IsOk());
    EXPECT_THAT((*file_system)->commit(), IsOk());
  }
  for (std::size_t i = kClones; i-- > 0;) {
    auto file_system = open(i, data);
    ASSERT_THAT(file_system, IsOk()) << i;
    EXPECT_EQ(read(**file_system, "/key"), secret(fmt::format("first {}", i)));
    EXPECT_EQ((*file_system)->list("/")->size(), i + 2);
    EXPECT_THAT(
        (*file_system)
            ->write_file("/key", MemoryContent(bytes_of(secret(fmt::format("second {}", i)))), {}),
        IsOk());
    EXPECT_THAT((*file_system)->commit(), IsOk());
  }
  for (std::size_t i = 0; i < kClones; ++i) {
    for (std::size_t other = 0; other < kClones; ++other) {
      EXPECT_EQ(contains(file_of(i), secret(fmt::format("second {}", other))), i == other)
          << i << other;
      EXPECT_FALSE(contains(file_of(i), secret(fmt::format("first {}", other)))) << i << other;
    }
  }
}

TEST_F(GuestTest, LooksAtOneImageAtATime) {
  auto file_system = open(ext4);
  ASSERT_THAT(file_system, IsOk());
  EXPECT_THAT(open(f2fs), FailsWith(Code::busy, "one image at a time"));
  file_system->reset();
  EXPECT_THAT(open(f2fs), IsOk());
}

TEST_F(GuestTest, FindsTheLogicalVolumeWithTheDeviceType) {
  for (const std::size_t drive : {lvm, lvm_clone}) {
    auto file_system = open(drive);
    ASSERT_THAT(file_system, IsOk());
    EXPECT_EQ(read(**file_system, "/mender/device_type"), "device_type=x\n");
    EXPECT_THAT((*file_system)
                    ->write_file("/mender/key",
                                 MemoryContent(bytes_of(secret(fmt::format("lvm {}", drive)))), {}),
                IsOk());
    EXPECT_THAT((*file_system)->commit(), IsOk());
  }
  for (const std::size_t drive : {lvm, lvm_clone}) {
    EXPECT_EQ(contains(file_of(lvm), secret(fmt::format("lvm {}", drive))), drive == lvm);
    EXPECT_EQ(contains(file_of(lvm_clone), secret(fmt::format("lvm {}", drive))),
              drive == lvm_clone);
  }
}

TEST_F(GuestTest, ListsLogicalVolumesThatItCannotTellApart) {
  EXPECT_THAT(open(lvm_unclear), FailsWith(Code::invalid_input,
                                           "which logical volume of group 'unclear' holds the data "
                                           "cannot be told: /dev/unclear/one, "
                                           "/dev/unclear/two (label 'two'); label one of them "
                                           "'data', or put /mender/device_type into it"));
}

TEST_F(GuestTest, AsksForThePassphraseOnce) {
  EXPECT_THAT(open(luks), IsOk());
  EXPECT_THAT(open(luks), IsOk());
  EXPECT_EQ(questions_, 1);
}

TEST_F(GuestTest, WritesToFat) {
  auto file_system = open(vfat);
  ASSERT_THAT(file_system, IsOk());
  EXPECT_FALSE((*file_system)->has_owners());
  EXPECT_THAT((*file_system)
                  ->write_file("/config.txt", MemoryContent(bytes_of("arm_64bit=1\n")),
                               {.mode = 0600, .uid = 5}),
              IsOk());
  EXPECT_THAT((*file_system)->make_symlink("/link", "config.txt", {}),
              FailsWith(Code::unsupported, "has no symbolic links"));
  EXPECT_THAT((*file_system)->commit(), IsOk());
  IMPRINT_NEED_COMMAND("mtype");
  EXPECT_EQ(run({"mtype", "-i", file_of(vfat).string(), "::config.txt"}), "arm_64bit=1\n");
}

TEST_F(GuestTest, RefusesWhatDoesNotFit) {
  auto file_system = open(ext4);
  ASSERT_THAT(file_system, IsOk());
  const Bytes large(40 * kMebi, std::byte{1});
  EXPECT_THAT((*file_system)->write_file("/large", MemoryContent(large), {}),
              FailsWith(Code::image_full, "KiB free, and 41024 are needed"));
  EXPECT_FALSE(*(*file_system)->find("/large"));
}

TEST_F(GuestTest, KeepsHolesAndLargeFiles) {
  const fs::path sparse = files_->write("sparse", "begin");
  run({"truncate", "-s", "200M", sparse.string()});
  std::ofstream(sparse, std::ios::in | std::ios::out | std::ios::ate)
      << std::string(5 * kMebi, 'x');
  const auto file = File::open_read(sparse);
  ASSERT_THAT(file, IsOk());
  const auto content = image::FileContent::of(*file);
  ASSERT_THAT(content, IsOk());
  auto file_system = open(xfs);
  ASSERT_THAT(file_system, IsOk());
  ASSERT_THAT((*file_system)->write_file("/sparse", *content, {}), IsOk());
  ASSERT_THAT((*file_system)->commit(), IsOk());
  file_system = open(xfs);
  ASSERT_THAT(file_system, IsOk());
  auto copy = File::create_new(*files_ / "copy", 0600);
  ASSERT_THAT(copy, IsOk());
  ASSERT_THAT(copy->resize(content->size_bytes()), IsOk());
  EXPECT_THAT((*file_system)
                  ->read("/sparse", [&](std::uint64_t offset,
                                        ByteView bytes) { return copy->write_all(offset, bytes); }),
              IsOk());
  run({"cmp", sparse.string(), copy->path().string()});
  EXPECT_LT(std::stoul(run({"stat", "-c", "%b", copy->path().string()})), 6 * kMebi / 512);
}

TEST_F(GuestTest, ChangesNothingOfAReadOnlyImage) {
  const std::string before = run({"sha256sum", file_of(read_only).string()});
  auto file_system = open(read_only);
  ASSERT_THAT(file_system, IsOk());
  EXPECT_THAT(*(*file_system)->list("/"), ElementsAre("lost+found"));
  EXPECT_THAT((*file_system)->make_directory("/x", {}),
              FailsWith(Code::internal, "opened for reading only"));
  EXPECT_THAT((*file_system)->commit(), IsOk());
  file_system->reset();
  EXPECT_EQ(run({"sha256sum", file_of(read_only).string()}), before);
}

TEST_F(GuestTest, SaysWhatItCannotMount) {
  EXPECT_THAT(open(damaged),
              FailsWith(Code::unsupported, "the appliance cannot mount the xfs file system: "));
  Partition crooked = whole(ext4);
  crooked.offset_bytes = 100;
  EXPECT_THAT(open(ext4, crooked), FailsWith(Code::unsupported, "does not begin at a sector"));
}

class Finish : public testing::Environment {
 public:
  void TearDown() override { GuestTest::finish(); }
};

[[maybe_unused]] const testing::Environment* const kFinish =
    testing::AddGlobalTestEnvironment(new Finish);

}  // namespace
}  // namespace imprint::guestfs
