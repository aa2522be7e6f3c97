// The file commands on every layout that builders make, with several kinds of ext file systems in
// it. Judges: e2fsck, debugfs, the kernel where this may mount, mender-artifact where it can read.

#include <fstream>
#include <optional>
#include <unistd.h>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "batch_fixture.hpp"
#include "image/disk_image.hpp"

namespace imprint::cli::test {
namespace {

using imprint::test::ExtContent;
using imprint::test::has_command;
using imprint::test::kMiB;
using imprint::test::TempDir;

struct Place {
  int number = 0;
  std::uint64_t offset_bytes = 0;
  friend bool operator==(const Place&, const Place&) = default;
};

/// Where sfdisk puts the partitions, and which of them are what. Sizes are 8 MiB.
struct Shape {
  std::string name;
  std::string file;             ///< what builds call such an image
  unsigned sector_bytes = 512;  ///< other ones are for fdisk, which can be told
  std::string script = {};      ///< for sfdisk; empty: no table
  std::optional<Place> boot = {};
  std::optional<Place> root_a = {};
  std::optional<Place> root_b = {};
  std::optional<Place> data = {};
  bool b_is_empty = false;
  bool for_mender_artifact = false;  ///< four partitions, and a name that it takes
};

void PrintTo(const Shape& shape, std::ostream* out) {
  *out << shape.name;
}

struct Format {
  std::string name;
  std::vector<std::string> options;
};

void PrintTo(const Format& format, std::ostream* out) {
  *out << format.name;
}

constexpr std::uint64_t kPartitionBytes = 8 * kMiB;

const std::vector<Shape>& shapes() {
  static const std::vector<Shape> all{
      {.name = "MbrFour",
       .file = "x.sdimg",
       .script = "label: dos\nstart=1MiB,size=8MiB,type=c\nstart=9MiB,size=8MiB\n"
                 "start=17MiB,size=8MiB\nstart=25MiB,size=8MiB\n",
       .boot = Place{1, 1 * kMiB},
       .root_a = Place{2, 9 * kMiB},
       .root_b = Place{3, 17 * kMiB},
       .data = Place{4, 25 * kMiB},
       .for_mender_artifact = true},
      {.name = "MbrLogicalWithSwap",
       .file = "x.biosimg",
       .script = "label: dos\nstart=1MiB,size=8MiB,type=c\nstart=9MiB,size=8MiB\n"
                 "start=17MiB,size=8MiB\nstart=25MiB,size=24MiB,type=f\n"
                 "start=26MiB,size=2MiB,type=82\nstart=30MiB,size=8MiB\n",
       .boot = Place{1, 1 * kMiB},
       .root_a = Place{2, 9 * kMiB},
       .root_b = Place{3, 17 * kMiB},
       .data = Place{6, 30 * kMiB}},
      {.name = "GptFour",
       .file = "x.gptimg",
       .script = "label: gpt\nstart=1MiB,size=8MiB,type=U\nstart=9MiB,size=8MiB\n"
                 "start=17MiB,size=8MiB\nstart=25MiB,size=8MiB\n",
       .boot = Place{1, 1 * kMiB},
       .root_a = Place{2, 9 * kMiB},
       .root_b = Place{3, 17 * kMiB},
       .data = Place{4, 25 * kMiB}},
      {.name = "GptWithoutBoot",
       .file = "x.wic",
       .script = "label: gpt\nstart=9MiB,size=8MiB\nstart=17MiB,size=8MiB\nstart=25MiB,size=8MiB\n",
       .root_a = Place{1, 9 * kMiB},
       .root_b = Place{2, 17 * kMiB},
       .data = Place{3, 25 * kMiB}},
      {.name = "YoctoEmptyB",
       .file = "x.uefiimg",
       .script = "label: dos\nstart=1MiB,size=8MiB,type=c\nstart=9MiB,size=8MiB\n"
                 "start=17MiB,size=8MiB\nstart=25MiB,size=8MiB\n",
       .boot = Place{1, 1 * kMiB},
       .root_a = Place{2, 9 * kMiB},
       .root_b = Place{3, 17 * kMiB},
       .data = Place{4, 25 * kMiB},
       .b_is_empty = true},
      {.name = "WithoutB",
       .file = "image",
       .script = "label: gpt\nstart=1MiB,size=8MiB,type=U\nstart=9MiB,size=8MiB\n"
                 "start=25MiB,size=8MiB\n",
       .boot = Place{1, 1 * kMiB},
       .root_a = Place{2, 9 * kMiB},
       .data = Place{3, 25 * kMiB}},
      {.name = "UnalignedLastIsData",
       .file = "x.img",
       .script = "label: dos\nunit: sectors\nstart=63,size=16384,type=c\nstart=16447,size=16385\n"
                 "start=32833,size=16387\nstart=49221,size=16399\n",
       .boot = Place{1, 63 * 512},
       .root_a = Place{2, 16447 * 512},
       .root_b = Place{3, 32833 * 512},
       .data = Place{4, 49221 * 512},
       .for_mender_artifact = true},
      {.name = "LargeSectors",
       .file = "x.large",
       .sector_bytes = 4096,
       .script = "g\nn\n1\n256\n+8M\nn\n2\n2304\n+8M\nn\n3\n4352\n+8M\nn\n4\n6400\n+8M\nw\n",
       .boot = Place{1, 256 * 4096},
       .root_a = Place{2, 2304 * 4096},
       .root_b = Place{3, 4352 * 4096},
       .data = Place{4, 6400 * 4096}},
      {.name = "ExtrasBehindData",
       .file = "x.sdimg.new",
       .script = "label: gpt\nstart=1MiB,size=8MiB,type=U\nstart=9MiB,size=8MiB\n"
                 "start=17MiB,size=8MiB\nstart=25MiB,size=8MiB\nstart=33MiB,size=2MiB\n"
                 "start=35MiB,size=2MiB\n",
       .boot = Place{1, 1 * kMiB},
       .root_a = Place{2, 9 * kMiB},
       .root_b = Place{3, 17 * kMiB},
       .data = Place{4, 25 * kMiB}},
      {.name = "BareRootfs", .file = "rootfs.ext4", .root_a = Place{1, 0}},
      {.name = "BareData", .file = "x.dataimg", .data = Place{1, 0}},
  };
  return all;
}

const std::vector<Format>& formats() {
  static const std::vector<Format> all{
      {"Ext4", {"-b", "4096"}},
      {"Ext4Small", {"-b", "1024", "-I", "128", "-O", "^metadata_csum"}},
      {"Ext4Large", {"-b", "65536", "-O", "^has_journal"}},
      {"Ext3",
       {"-b", "1024", "-O",
        "has_journal,^extents,^64bit,^flex_bg,^metadata_csum,^huge_file,^extra_isize"}},
      {"Ext2",
       {"-b", "2048", "-O",
        "^has_journal,^extents,^64bit,^flex_bg,^metadata_csum,^huge_file,^extra_isize"}},
      {"Ext4Rich",
       {"-b", "1024", "-O",
        "inline_data,metadata_csum,metadata_csum_seed,orphan_file,"
        "has_journal,large_dir,ea_inode"}},
      {"Ext4Bigalloc", {"-b", "1024", "-O", "bigalloc,extents", "-C", "4096"}},
  };
  return all;
}

class FilesMatrix : public ::testing::TestWithParam<std::tuple<Shape, Format>> {
 protected:
  void SetUp() override {
    for (const char* program : {"sfdisk", "mke2fs", "mkfs.vfat", "debugfs", "e2fsck"}) {
      if (!has_command(program)) GTEST_SKIP() << "needs the program '" << program << "'";
    }
    before_ = fs::current_path();
    fs::current_path(dir_.path());
    make_image();
  }

  void TearDown() override {
    if (!before_.empty()) fs::current_path(before_);
  }

  [[nodiscard]] static const Shape& shape() { return std::get<0>(GetParam()); }

  [[nodiscard]] static const Format& format() { return std::get<1>(GetParam()); }

  [[nodiscard]] static std::string at(std::string_view path) {
    return fmt::format("{}:{}", shape().file, path);
  }

  static void make_image() {
    const Shape& wanted = shape();
    if (wanted.script.empty()) {
      std::ofstream(wanted.file).close();
      fs::resize_file(wanted.file, kPartitionBytes);
    } else if (wanted.sector_bytes != 512) {
      std::ofstream(wanted.file).close();
      fs::resize_file(wanted.file, 52 * kMiB);
      const auto made = run_command(
          {"fdisk", "-b", fmt::format("{}", wanted.sector_bytes), wanted.file}, wanted.script);
      EXPECT_EQ(made.status, 0) << made.err;
    } else {
      imprint::test::make_disk(wanted.file, 52 * kMiB, wanted.script);
    }
    const ExtContent root{.files = {{"etc/mender/mender.conf", "{}\n"}, {"etc/hostname", "h\n"}},
                          .directories = {"data", "database", "boot/efi", "var/lib"}};
    const auto put = [&](const std::optional<Place>& place, const ExtContent& content) {
      if (place) {
        imprint::test::make_ext4(wanted.file, place->offset_bytes, kPartitionBytes, content,
                                 format().options);
      }
    };
    put(wanted.root_a, root);
    put(wanted.root_b, wanted.b_is_empty ? ExtContent{} : root);
    put(wanted.data, {.files = {{"mender/device_type", "device_type=t\n"}}, .directories = {}});
    if (!wanted.boot) return;
    const auto made =
        run_command({"mkfs.vfat", "--offset", fmt::format("{}", wanted.boot->offset_bytes / 512),
                     wanted.file, "8192"});
    EXPECT_EQ(made.status, 0) << made.err;
  }

  [[nodiscard]] static std::string device(const Place& place) {
    return fmt::format("{}?offset={}", shape().file, place.offset_bytes);
  }

  [[nodiscard]] static std::string debugfs(const Place& place, const std::string& request) {
    return run_command({"debugfs", "-R", request, device(place)}).out;
  }

  static void expect_sound() {
    for (const auto& place : {shape().root_a, shape().root_b, shape().data}) {
      if (!place) continue;
      const auto checked = run_command({"e2fsck", "-fn", device(*place)});
      EXPECT_EQ(checked.status, 0) << "partition " << place->number << "\n" << checked.out;
    }
  }

  /// The partition's content as the kernel mounts it; none where this may not mount.
  [[nodiscard]] std::optional<std::string> kernel_cat(const Place& place,
                                                      const std::string& path) const {
    if (::geteuid() != 0 || !has_command("mount")) return std::nullopt;
    const std::string mountpoint = (dir_.path() / "mnt").native();
    fs::create_directories(mountpoint);
    const auto mounted = run_command(
        {"mount", "-o",
         fmt::format("loop,ro,offset={},sizelimit={}", place.offset_bytes, kPartitionBytes),
         shape().file, mountpoint});
    if (mounted.status != 0) return std::nullopt;  // 64 KiB blocks, or no loop devices here
    std::string content = slurp(mountpoint + path);
    EXPECT_EQ(run_command({"umount", mountpoint}).status, 0);
    return content;
  }

  static void run(const std::vector<std::string>& arguments) {
    const CommandResult result = imprint(arguments);
    EXPECT_EQ(result.status, 0) << fmt::format("{}", fmt::join(arguments, " ")) << "\n"
                                << result.err;
    EXPECT_EQ(result.err, "");
  }

  TempDir dir_;
  fs::path before_;
};

TEST_P(FilesMatrix, EveryCommandWorksAndOthersAgree) {
  fs::create_directories("tree/deep");
  dir_.write("tree/deep/file", std::string(70'000, 'd'));
  dir_.write("tree/short", "short\n");
  dir_.write("conf", "{\"a\":1}\n");

  if (shape().data) {
    run({"install", "-m", "600", "conf", at("/data/mender/new.conf")});
    run({"cp", "-r", "tree", at("/data/")});
    run({"mkdir", "-p", at("/data/a/b")});
    run({"rm", at("/data/tree/short")});
    const Place data = *shape().data;
    EXPECT_THAT(debugfs(data, "stat /mender/new.conf"), testing::HasSubstr("Mode:  0600"));
    EXPECT_EQ(debugfs(data, "cat /mender/new.conf"), "{\"a\":1}\n");
    EXPECT_EQ(debugfs(data, "cat /tree/deep/file"), std::string(70'000, 'd'));
    EXPECT_THAT(debugfs(data, "stat /a/b"), testing::HasSubstr("Type: directory"));
    EXPECT_EQ(debugfs(data, "cat /tree/short"), "");
    const auto mounted = kernel_cat(data, "/tree/deep/file");
    EXPECT_EQ(mounted.value_or(std::string(70'000, 'd')), std::string(70'000, 'd'));
    EXPECT_EQ(imprint({"cat", at("/data/tree/deep/file")}).out, std::string(70'000, 'd'));
  }
  if (shape().root_a) {
    run({"cp", "conf", at("/etc/mender/mender.conf")});
    run({"cp", "-r", "tree", at("/etc")});
    run({"rm", "-r", at("/etc/tree/deep")});
    for (const auto& root : {shape().root_a, shape().root_b}) {
      if (!root || (root == shape().root_b && shape().b_is_empty)) continue;
      EXPECT_EQ(debugfs(*root, "cat /etc/mender/mender.conf"), "{\"a\":1}\n");
      EXPECT_EQ(debugfs(*root, "cat /etc/tree/short"), "short\n");
      EXPECT_EQ(debugfs(*root, "cat /etc/tree/deep/file"), "");
      const auto mounted = kernel_cat(*root, "/etc/tree/short");
      EXPECT_EQ(mounted.value_or("short\n"), "short\n");
    }
    EXPECT_EQ(imprint({"cat", at("/etc/mender/mender.conf")}).out, "{\"a\":1}\n");
  }
  if (shape().b_is_empty) {
    EXPECT_EQ(debugfs(*shape().root_b, "ls -p /etc"), "");
  }
  expect_sound();

  if (shape().for_mender_artifact && has_command("mender-artifact") && has_command("parted")) {
    const auto read = run_command({"mender-artifact", "cat", at("/data/mender/new.conf")});
    EXPECT_EQ(read.out, "{\"a\":1}\n") << read.err;
    const auto conf = run_command({"mender-artifact", "cat", at("/etc/mender/mender.conf")});
    EXPECT_EQ(conf.out, "{\"a\":1}\n") << conf.err;
  }
}

std::string name_of(const testing::TestParamInfo<std::tuple<Shape, Format>>& test) {
  return std::get<0>(test.param).name + std::get<1>(test.param).name;
}

// Every layout with the usual file systems, every file system with the usual layout.
INSTANTIATE_TEST_SUITE_P(Layouts, FilesMatrix,
                         testing::Combine(testing::ValuesIn(shapes()),
                                          testing::Values(formats()[0], formats()[1])),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Formats, FilesMatrix,
                         testing::Combine(testing::Values(shapes()[0]),
                                          testing::ValuesIn(formats().begin() + 2,
                                                            formats().end())),
                         name_of);

}  // namespace
}  // namespace imprint::cli::test
