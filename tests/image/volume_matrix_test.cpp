// Every operation on every kind of ext file system that is edited, judged by e2fsck, debugfs and,
// where this may mount, the kernel, which then goes on with what it found.

#include <array>
#include <fstream>
#include <map>
#include <thread>
#include <unistd.h>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ext_image.hpp"
#include "imprint/image/consistency.hpp"
#include "imprint/image/volume.hpp"
#include "support/command.hpp"
#include "support/matchers.hpp"

namespace imprint::image {
namespace {

namespace stdfs = std::filesystem;
using imprint::test::has_command;
using imprint::test::IsOk;
using imprint::test::run_command;
using imprint::test::slurp;
using imprint::test::TempDir;
using test::attributes;
using test::edit_time;
using test::ExtImage;
using test::ExtShape;
using ::testing::HasSubstr;

/// Sparse content: data at both ends, nothing between.
class HollowContent final : public Content {
 public:
  [[nodiscard]] std::uint64_t size_bytes() const noexcept override { return kSize; }

  [[nodiscard]] Result<std::vector<DataRange>> data_ranges() const override {
    return std::vector<DataRange>{{100, 50}, {kSize - 70'000, 70'000}};
  }

  [[nodiscard]] Result<> read(std::uint64_t offset, MutableBytes into) const override {
    const std::string text = all();
    const auto part = std::string_view(text).substr(offset, into.size());
    std::ranges::copy(bytes_of(part), into.begin());
    return {};
  }

  [[nodiscard]] static std::string all() {
    std::string text(kSize, '\0');
    std::fill_n(text.begin() + 100, 50, 'a');
    std::fill_n(text.end() - 70'000, 70'000, 'z');
    return text;
  }

 private:
  static constexpr std::uint64_t kSize = 3'000'001;
};

[[nodiscard]] std::string text_of_size(std::size_t size, std::string_view mark) {
  std::string text;
  for (unsigned line = 0; text.size() < size; ++line)
    text += fmt::format("{} {}\n", mark, line * 2654435761U);
  text.resize(size);
  return text;
}

/// What the image begins with: small files (inline where there is such a thing) and larger ones,
/// links of both kinds, directories of several sizes.
void make_source(const TempDir& source) {
  stdfs::create_directories(source / "old/few");
  stdfs::create_directory(source / "old/empty");
  stdfs::create_directory(source / "old/crowd");
  const auto file = [&](const std::string& name, std::size_t size) {
    std::ofstream(source / name) << text_of_size(size, name);
  };
  for (const std::size_t size : {10U, 100U, 5'000U, 300'000U}) {
    file(fmt::format("old/keep{}", size), size);
    file(fmt::format("old/gone{}", size), size);
    file(fmt::format("old/swap{}", size), size);
  }
  stdfs::create_symlink("keep10", source / "old/fast");
  stdfs::create_symlink(std::string(200, 's'), source / "old/slow");
  stdfs::create_symlink("keep10", source / "old/gonefast");
  stdfs::create_symlink(std::string(200, 's'), source / "old/goneslow");
  for (int i = 0; i < 4; ++i)
    file(fmt::format("old/few/f{}", i), 20);
  for (int i = 0; i < 400; ++i)
    file(fmt::format("old/crowd/with-a-name-of-some-length-{}", i), 3);
  stdfs::create_hard_link(source / "old/keep5000", source / "old/second-name");
}

/// What the image is to hold in the end: content of files, targets of links, by path.
struct Expected {
  std::map<std::string, std::string> files;
  std::map<std::string, std::string> links;
  std::vector<std::string> gone;
};

class Matrix : public ::testing::TestWithParam<ExtShape> {
 protected:
  void SetUp() override {
    IMPRINT_NEED_COMMAND("mke2fs");
    IMPRINT_NEED_COMMAND("debugfs");
    make_source(source_);
  }

  void edit(Volume& volume);
  void edit_new_directory(Volume& volume);
  void edit_crowd(Volume& volume, InodeNumber crowd);
  void judge_by_ourselves(const ExtImage& ext, const Canvas& canvas);
  void judge_by_kernel(const ExtImage& ext);

  TempDir source_;
  Expected expected_;
};

#define NEED(expression) ASSERT_THAT(expression, IsOk())

void Matrix::edit_new_directory(Volume& volume) {
  const auto made = volume.make_directory(kRootInode, "new", attributes(0750, 5, 6));
  NEED(made);
  for (const std::size_t size : {0U, 10U, 100U, 5'000U, 200'000U}) {
    const std::string content = text_of_size(size, "new");
    NEED(volume.write_file(*made, fmt::format("f{}", size), bytes_of(content), attributes(0640)));
    expected_.files[fmt::format("new/f{}", size)] = content;
  }
  NEED(volume.write_file(*made, "hollow", HollowContent(), attributes(0644)));
  expected_.files["new/hollow"] = HollowContent::all();
  for (const std::size_t size : {1U, 59U, 60U, 61U, 500U}) {
    NEED(volume.make_symlink(*made, fmt::format("l{}", size), std::string(size, 'x'),
                             attributes(0777)));
    expected_.links[fmt::format("new/l{}", size)] = std::string(size, 'x');
  }
  const auto many = volume.make_directory(*made, "many", attributes(0755));
  NEED(many);
  for (int i = 0; i < 300; ++i) {
    const std::string name = fmt::format("entry-with-some-more-letters-{}", i);
    NEED(volume.write_file(*many, name, bytes_of(name), attributes(0644)));
    expected_.files["new/many/" + name] = name;
  }
  for (int i = 0; i < 300; i += 3) {
    const std::string name = fmt::format("entry-with-some-more-letters-{}", i);
    NEED(volume.remove(*many, name));
    expected_.files.erase("new/many/" + name);
    expected_.gone.push_back("new/many/" + name);
  }
}

void Matrix::edit_crowd(Volume& volume, InodeNumber crowd) {
  for (int i = 0; i < 400; i += 5) {
    const std::string name = fmt::format("with-a-name-of-some-length-{}", i);
    NEED(volume.remove(crowd, name));
    expected_.gone.push_back("old/crowd/" + name);
    const std::string other = fmt::format("with-a-name-of-some-length-{}", i + 1);
    NEED(volume.write_file(crowd, other, bytes_of("replaced"), attributes(0644)));
    expected_.files["old/crowd/" + other] = "replaced";
    const std::string added = fmt::format("an-added-name-{}", i);
    NEED(volume.make_directory(crowd, added, attributes(0755)));
  }
}

void Matrix::edit(Volume& volume) {
  const auto at = [&](InodeNumber directory, const char* name) {
    const auto found = volume.lookup(directory, name);
    EXPECT_THAT(found, IsOk()) << name;
    return found && *found ? **found : 0;
  };
  const InodeNumber old = at(kRootInode, "old");
  for (const std::size_t size : {10U, 100U, 5'000U, 300'000U}) {
    NEED(volume.remove(old, fmt::format("gone{}", size)));
    expected_.gone.push_back(fmt::format("old/gone{}", size));
    expected_.files[fmt::format("old/keep{}", size)] =
        text_of_size(size, fmt::format("old/keep{}", size));
    const std::string content = text_of_size(size + 7, "swapped");
    NEED(volume.write_file(old, fmt::format("swap{}", size), bytes_of(content), attributes(0600)));
    expected_.files[fmt::format("old/swap{}", size)] = content;
  }
  for (const char* name : {"gonefast", "goneslow", "empty"}) {
    NEED(volume.remove(old, name));
    expected_.gone.push_back(fmt::format("old/{}", name));
  }
  expected_.links["old/fast"] = "keep10";
  expected_.links["old/slow"] = std::string(200, 's');
  NEED(volume.remove(old, "second-name"));

  const InodeNumber keep = at(old, "keep300000");
  NEED(volume.set_extended_attribute(keep, "user.small", bytes_of("value")));
  NEED(volume.set_extended_attribute(keep, "user.large", bytes_of(std::string(700, 'v'))));
  NEED(volume.set_extended_attribute(keep, "user.passing", bytes_of("p")));
  NEED(volume.set_extended_attribute(keep, "user.passing", std::nullopt));
  NEED(volume.set_extended_attribute(at(old, "keep100"), "security.selinux",
                                     bytes_of(std::string_view("label_t\0", 8))));
  NEED(volume.change_attributes(
      keep, {.mode = 04711, .uid = 70'001, .gid = 70'002, .modified = TimePoint{}}));

  const InodeNumber few = at(old, "few");
  for (int i = 0; i < 40; ++i) {
    NEED(volume.write_file(few, fmt::format("more{}", i), bytes_of("m"), attributes(0644)));
    expected_.files[fmt::format("old/few/more{}", i)] = "m";
  }
  NEED(volume.remove(few, "f0"));
  expected_.gone.emplace_back("old/few/f0");
  expected_.files["old/few/f1"] = text_of_size(20, "old/few/f1");
  edit_crowd(volume, at(old, "crowd"));
  edit_new_directory(volume);
}

[[nodiscard]] Result<InodeNumber> follow(const Volume& volume, std::string_view path) {
  InodeNumber inode = kRootInode;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const auto found = IMPRINT_TRY(volume.lookup(inode, path.substr(0, end)));
    if (!found) return fail(Code::not_found, std::string(path));
    inode = *found;
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return inode;
}

void Matrix::judge_by_ourselves(const ExtImage& ext, const Canvas& canvas) {
  EXPECT_THAT(check_consistency(canvas, ext.partition()), IsOk());
  const auto volume = Volume::open_read(canvas, ext.partition());
  ASSERT_THAT(volume, IsOk());
  for (const auto& [path, content] : expected_.files) {
    const auto inode = follow(*volume, path);
    ASSERT_THAT(inode, IsOk()) << path;
    const auto read = volume->read_file(*inode);
    ASSERT_THAT(read, IsOk()) << path;
    ASSERT_TRUE(text_of(*read) == content) << path;
  }
  for (const auto& [path, target] : expected_.links) {
    const auto inode = follow(*volume, path);
    ASSERT_THAT(inode, IsOk()) << path;
    const auto read = volume->read_link(*inode);
    ASSERT_THAT(read, IsOk()) << path;
    EXPECT_EQ(*read, target) << path;
  }
  for (const std::string& path : expected_.gone)
    EXPECT_FALSE(follow(*volume, path).has_value()) << path;
}

/// A loop mount, ended with its life.
class Mount {
 public:
  explicit Mount(const stdfs::path& image)
      : result_(run_command({"mount", "-o", "loop", image.string(), at_.path().string()})) {}

  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;

  ~Mount() { unmount(); }

  void unmount() {
    if (!is_there()) return;
    EXPECT_EQ(run_command({"umount", at_.path().string()}).status, 0);
    result_.status = 1;
  }

  [[nodiscard]] bool is_there() const { return result_.status == 0; }

  [[nodiscard]] const std::string& message() const { return result_.err; }

  [[nodiscard]] stdfs::path operator/(const std::string& path) const { return at_ / path; }

 private:
  TempDir at_;
  imprint::test::CommandResult result_;
};

[[nodiscard]] bool may_mount() {
  static const bool may = [] {
    if (geteuid() != 0 || !has_command("mount")) return false;
    const ExtImage plain({.name = "plain", .options = {"-t", "ext4"}});
    return Mount(plain.path()).is_there();
  }();
  return may;
}

/// Blocks larger than a page and features that a kernel may be built without are e2fsck's alone.
[[nodiscard]] bool kernel_may_refuse(const ExtShape& shape) {
  static const std::array<std::string_view, 4> often{"blocks_64k", "casefold", "encrypt", "verity"};
  return std::ranges::find(often, shape.name) != often.end();
}

void Matrix::judge_by_kernel(const ExtImage& ext) {
  Mount mounted(ext.result_path());
  if (!mounted.is_there()) {
    EXPECT_TRUE(kernel_may_refuse(GetParam())) << mounted.message();
    return;
  }
  for (const auto& [path, content] : expected_.files)
    ASSERT_TRUE(slurp(mounted / path) == content) << path;
  for (const auto& [path, target] : expected_.links)
    EXPECT_EQ(stdfs::read_symlink(mounted / path), target) << path;
  for (const std::string& path : expected_.gone)
    EXPECT_FALSE(stdfs::exists(stdfs::symlink_status(mounted / path))) << path;
  if (has_command("getfattr")) {
    const auto list =
        run_command({"getfattr", "--absolute-names", "-d", (mounted / "old/keep300000").string()});
    EXPECT_THAT(list.out, HasSubstr("user.small=\"value\""));
    EXPECT_THAT(list.out, HasSubstr("user.large=\"" + std::string(700, 'v') + "\""));
  }
  // It goes on where we stopped.
  for (const char* directory : {"new/many", "old/crowd", "old/few", "new"}) {
    for (int i = 0; i < 50; ++i)
      std::ofstream(mounted / fmt::format("{}/by-the-kernel-{}", directory, i)) << i;
  }
  for (const char* path : {"new/f200000", "new/hollow", "new/f100", "new/l500", "old/keep300000"})
    EXPECT_TRUE(stdfs::remove(mounted / path)) << path;
  EXPECT_GT(stdfs::remove_all(mounted / "new/many"), 100U);
  mounted.unmount();
  EXPECT_EQ(ext.fsck_complaints(), "") << "after the kernel's turn";
  const FileImage result = FileImage::open(ext.result_path()).value();
  Partition alone = ext.partition();
  alone.offset_bytes = 0;
  // The kernel may let go of a loop device a moment after umount, and marks it clean only then.
  for (int tries = 0; tries < 100 && !Volume::open_read(result, alone); ++tries)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_THAT(check_consistency(result, alone), IsOk()) << "after the kernel's turn";
}

TEST_P(Matrix, EveryOperationLeavesASoundFileSystem) {
  ExtShape shape = GetParam();
  shape.options.insert(shape.options.end(), {"-d", source_.path().string(), "-N", "2500"});
  ExtImage ext(shape);
  ext.prepare({"ea_set old/swap5000 user.carried along",
               "ea_set old/swap10 user.long " + std::string(400, 'w')});
  EXPECT_THAT(check_consistency(ext.image(), ext.partition()), IsOk()) << "as mke2fs made it";
  Canvas canvas(ext.image());
  {
    auto volume = Volume::open_edit(canvas, ext.partition(), edit_time());
    ASSERT_THAT(volume, IsOk());
    edit(*volume);
    ASSERT_FALSE(HasFatalFailure());
    ASSERT_THAT(volume->commit(), IsOk());
  }
  ext.apply({&canvas});
  EXPECT_EQ(ext.fsck_complaints(), "");
  judge_by_ourselves(ext, canvas);
  for (const char* path : {"old/swap10", "new/f200000", "new/hollow", "new/f10"})
    EXPECT_TRUE(ext.content(path) == expected_.files[path]) << path;
  EXPECT_THAT(ext.debugfs("ea_get old/swap5000 user.carried"), HasSubstr("along"));
  EXPECT_THAT(ext.debugfs("ea_get old/swap10 user.long"), HasSubstr(std::string(400, 'w')));
  EXPECT_THAT(ext.debugfs("ea_list old/keep300000"), HasSubstr("user.small (5) = \"value\""));
  const std::string stat = ext.debugfs("stat old/keep300000");
  EXPECT_THAT(stat, HasSubstr("Mode:  04711"));
  EXPECT_THAT(stat, HasSubstr("User: 70001   Group: 70002"));
  EXPECT_THAT(stat, HasSubstr("mtime: 0x00000000"));
  if (HasFailure()) return;
  if (!may_mount()) GTEST_SKIP() << "the kernel's own view needs root and loop devices";
  judge_by_kernel(ext);
}

[[nodiscard]] ExtShape ext4(std::string name, std::vector<std::string> more,
                            std::uint64_t size = 32 << 20) {
  more.insert(more.begin(), {"-t", "ext4"});
  return {.name = std::move(name), .options = std::move(more), .size_bytes = size};
}

[[nodiscard]] std::vector<ExtShape> every_shape() {
  std::vector<ExtShape> shapes;
  for (const char* type : {"ext2", "ext3", "ext4"}) {
    for (const char* block : {"1024", "2048", "4096"}) {
      shapes.push_back({.name = fmt::format("{}_{}", type, block),
                        .options = {"-t", type, "-b", block},
                        .size_bytes = 32 << 20});
    }
  }
  const std::vector<ExtShape> more{
      ext4("blocks_64k", {"-b", "65536"}, 256 << 20),
      ext4("inodes_128", {"-I", "128", "-O", "^extra_isize"}),
      ext4("inodes_1024", {"-b", "4096", "-I", "1024"}),
      ext4("no_journal", {"-O", "^has_journal"}),
      ext4("no_extents", {"-O", "^extents,^64bit"}),
      ext4("no_64bit", {"-O", "^64bit"}),
      ext4("uninit_bg", {"-O", "^metadata_csum,uninit_bg"}),
      ext4("no_checksums", {"-O", "^metadata_csum,^uninit_bg"}),
      ext4("checksum_seed", {"-O", "metadata_csum_seed"}),
      ext4("orphan_file", {"-O", "orphan_file"}),
      ext4("no_dir_index", {"-b", "1024", "-O", "^dir_index"}),
      ext4("inline_data", {"-O", "inline_data"}),
      ext4("inline_data_1k", {"-b", "1024", "-I", "256", "-O", "inline_data"}),
      ext4("bigalloc", {"-O", "bigalloc"}, 64 << 20),
      ext4("bigalloc_1k", {"-b", "1024", "-C", "16384", "-O", "bigalloc"}, 64 << 20),
      ext4("no_flex_bg", {"-b", "1024", "-O", "^flex_bg"}),
      ext4("large_dir", {"-b", "1024", "-O", "large_dir"}),
      ext4("casefold", {"-O", "casefold"}),
      ext4("ea_inode", {"-b", "1024", "-O", "ea_inode"}),
      ext4("encrypt", {"-O", "encrypt"}),
      ext4("verity", {"-O", "verity"}),
      ext4("stable_inodes", {"-O", "stable_inodes"}),
      ext4("fast_commit", {"-O", "fast_commit"}),
      ext4("sparse_super2", {"-O", "sparse_super2,^resize_inode"}),
      ext4("meta_bg", {"-b", "1024", "-O", "meta_bg,^resize_inode"}),
      ext4("mmp", {"-O", "mmp"}),
      ext4("no_resize_inode", {"-O", "^resize_inode"}),
      ext4("no_filetype", {"-O", "^filetype"}),
  };
  shapes.insert(shapes.end(), more.begin(), more.end());
  return shapes;
}

INSTANTIATE_TEST_SUITE_P(Shapes, Matrix, ::testing::ValuesIn(every_shape()),
                         [](const auto& shape) { return shape.param.name; });

}  // namespace
}  // namespace imprint::image
