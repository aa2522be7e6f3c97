// What is written to each kind of file system stays, and what it replaces is gone.

#include <array>

#include "appliance_fixture.hpp"

namespace imprint::guestfs {
namespace {

using testing::ElementsAre;

class EachKind : public GuestTest, public testing::WithParamInterface<int> {};

void edit(FileSystem& file_system, const std::string& old_key, const std::string& new_key) {
  EXPECT_THAT(file_system.make_directory("/mender", {.mode = 0751, .uid = 3, .gid = 4}), IsOk());
  const image::Attributes for_key{
      .mode = 0600, .uid = 0, .gid = 0, .modified = TimePoint(std::chrono::seconds(1700000000))};
  EXPECT_THAT(
      file_system.write_file("/mender/key 'quoted'.pem", MemoryContent(bytes_of(old_key)), for_key),
      IsOk());
  EXPECT_THAT(file_system.set_extended_attribute("/mender/key 'quoted'.pem", "security.selinux",
                                                 bytes_of("a_t")),
              IsOk());
  EXPECT_THAT(
      file_system.set_extended_attribute("/mender/key 'quoted'.pem", "user.gone", bytes_of("x")),
      IsOk());
  EXPECT_THAT(
      file_system.set_extended_attribute("/mender/key 'quoted'.pem", "user.gone", std::nullopt),
      IsOk());
  EXPECT_THAT(file_system.make_symlink("/mender/link", "key 'quoted'.pem", {.uid = 7, .gid = 8}),
              IsOk());
  EXPECT_THAT(file_system.write_file("/set-id", MemoryContent(bytes_of("x")),
                                     {.mode = 04755, .uid = 9, .gid = 9}),
              IsOk());
  EXPECT_THAT(file_system.write_file("/away", MemoryContent(bytes_of("x")), {}), IsOk());
  EXPECT_THAT(file_system.commit(), IsOk());
  EXPECT_THAT(file_system.make_directory("/late", {}),
              FailsWith(Code::internal, "has been committed"));
  (void)new_key;
}

void edit_again(FileSystem& file_system, const std::string& new_key) {
  EXPECT_THAT(file_system.write_file("/mender/key 'quoted'.pem", MemoryContent(bytes_of(new_key)),
                                     {.mode = 0640, .uid = 1, .gid = 2}),
              IsOk());
  EXPECT_THAT(file_system.remove("/away"), IsOk());
  EXPECT_THAT(file_system.change_attributes("/set-id", {.uid = 10}), IsOk());
  EXPECT_THAT(file_system.change_attributes(
                  "/mender/link", {.modified = TimePoint(std::chrono::seconds(1600000000))}),
              IsOk());
  // Found beforehand, so nothing is broken.
  EXPECT_THAT(file_system.make_directory("/mender", {}),
              FailsWith(Code::exists, "'/mender' exists already"));
  EXPECT_THAT(file_system.write_file("/mender", MemoryContent({}), {}),
              FailsWith(Code::exists, "'/mender' exists and is no regular file"));
  EXPECT_THAT(file_system.write_file("/none/x", MemoryContent({}), {}),
              FailsWith(Code::not_found, "'/none' does not exist"));
  EXPECT_THAT(file_system.make_directory("/set-id/x", {}),
              FailsWith(Code::not_found, "'/set-id' is not a directory"));
  EXPECT_THAT(file_system.remove("/mender"),
              FailsWith(Code::exists, "the directory '/mender' is not empty"));
  EXPECT_THAT(file_system.remove("/none"), FailsWith(Code::not_found, "'/none' does not exist"));
  EXPECT_THAT(file_system.read_whole("/mender/link"),
              FailsWith(Code::invalid_input, "is not a regular file"));
  EXPECT_THAT(file_system.commit(), IsOk());
}

void expect_edited(FileSystem& file_system, const std::string& new_key) {
  EXPECT_THAT(*file_system.list("/mender"), ElementsAre("key 'quoted'.pem", "link"));
  const auto directory = file_system.find("/mender");
  ASSERT_THAT(directory, IsOk());
  ASSERT_TRUE(*directory);
  EXPECT_EQ((*directory)->type, NodeType::directory);
  EXPECT_EQ((*directory)->mode, 0751U);
  EXPECT_EQ((*directory)->uid, 3U);
  EXPECT_EQ((*directory)->gid, 4U);
  const auto key = *file_system.find("/mender/key 'quoted'.pem");
  ASSERT_TRUE(key);
  EXPECT_EQ(key->mode, 0640U);
  EXPECT_EQ(key->uid, 1U);
  EXPECT_EQ(key->gid, 2U);
  EXPECT_EQ(key->size_bytes, new_key.size());
  const auto attributes = file_system.extended_attributes("/mender/key 'quoted'.pem");
  ASSERT_THAT(attributes, IsOk());
  ASSERT_EQ(attributes->size(), 1U);
  EXPECT_EQ(attributes->front().name, "security.selinux");
  EXPECT_EQ(text_of(attributes->front().value), "a_t");
  EXPECT_EQ(*file_system.read_link("/mender/link"), "key 'quoted'.pem");
  const auto link = *file_system.find("/mender/link");
  ASSERT_TRUE(link);
  EXPECT_EQ(link->type, NodeType::symlink);
  EXPECT_EQ(link->uid, 7U);
  EXPECT_EQ(link->modified, TimePoint(std::chrono::seconds(1600000000)));
  const auto set_id = *file_system.find("/set-id");
  ASSERT_TRUE(set_id);
  EXPECT_EQ(set_id->mode, 04755U);
  EXPECT_EQ(set_id->uid, 10U);
  EXPECT_FALSE(*file_system.find("/away"));
  EXPECT_FALSE(*file_system.find("/none/at/all"));
}

TEST_P(EachKind, KeepsEverythingThatWasWritten) {
  const auto drive = static_cast<std::size_t>(GetParam());
  const std::string old_key = secret("old");
  const std::string new_key = secret("new");
  auto file_system = open(drive);
  ASSERT_THAT(file_system, IsOk());
  edit(**file_system, old_key, new_key);
  file_system->reset();
  EXPECT_TRUE(contains(file_of(drive), old_key) || drive == luks)
      << "the oracle finds what is there";

  file_system = open(drive);
  ASSERT_THAT(file_system, IsOk());
  edit_again(**file_system, new_key);
  file_system = open(drive);
  ASSERT_THAT(file_system, IsOk());
  expect_edited(**file_system, new_key);
  EXPECT_EQ(read(**file_system, "/mender/key 'quoted'.pem"), new_key);
  EXPECT_FALSE(contains(file_of(drive), old_key)) << "a replaced key is still on the disk";
}

std::string kind_name(const testing::TestParamInfo<int>& kind) {
  constexpr std::array<std::string_view, 5> kNames{"xfs", "f2fs", "ext4", "vfat", "luks"};
  return std::string(kNames.at(static_cast<std::size_t>(kind.param) - 4));
}

INSTANTIATE_TEST_SUITE_P(Guest, EachKind, testing::Values(4, 5, 6, 8), kind_name);

}  // namespace
}  // namespace imprint::guestfs
