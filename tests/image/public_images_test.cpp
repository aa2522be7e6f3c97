// The images that e2fsprogs' own tests use: damaged in every way its authors have met. None of them
// is part of this project; IMPRINT_E2FSPROGS_TESTS names a folder that holds some (`*.gz`, or a
// source tree's `tests`, whose images are `*/image.gz`).
//
// Whatever they hold: no crash, no endless loop, always a message; and an image that e2fsck calls
// sound stays sound under an edit.

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ext_image.hpp"
#include "imprint/image/volume.hpp"
#include "support/command.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace imprint::image {
namespace {

namespace stdfs = std::filesystem;
using imprint::test::CommandResult;
using imprint::test::has_command;
using imprint::test::IsOk;
using imprint::test::run_command;
using imprint::test::TempDir;
using test::attributes;
using test::edit_time;

/// Bounds the walk through directories that lead into themselves.
constexpr int kDeepest = 6;
constexpr int kMostNodes = 3000;

struct Tally {
  int nodes = 0;
  int refused = 0;
};

void count(bool done, const std::string& message, Tally& tally) {
  if (done) return;
  ++tally.refused;
  EXPECT_FALSE(message.empty());
}

template <class T>
void count(const Result<T>& result, Tally& tally) {
  count(result.has_value(), result ? std::string() : result.error().message(), tally);
}

void walk(const Volume& volume, InodeNumber inode, int depth, Tally& tally) {
  if (++tally.nodes > kMostNodes || depth > kDeepest) return;
  const auto node = volume.stat(inode);
  count(node, tally);
  count(volume.extended_attributes(inode), tally);
  count(volume.read_link(inode), tally);
  count(volume.read_content(inode, [](std::uint64_t, ByteView) { return Result<>(); }), tally);
  count(volume.placement(inode), tally);
  if (!node || node->type != NodeType::directory) return;
  const auto names = volume.list(inode);
  count(names, tally);
  if (!names) return;
  for (const std::string& name : *names) {
    if (tally.nodes > kMostNodes) return;
    const auto found = volume.lookup(inode, name);
    count(found, tally);
    if (found && *found) walk(volume, **found, depth + 1, tally);
  }
}

/// Every name of the root directory is removed or replaced, and new ones come.
void edit(Volume& volume, Tally& tally) {
  const auto names = volume.list(kRootInode);
  count(names, tally);
  for (int i = 0; i < 30; ++i) {
    count(volume.write_file(kRootInode, fmt::format("imprint-{}", i),
                            bytes_of(std::string(static_cast<std::size_t>(i) * 1000, 'i')),
                            attributes(0600)),
          tally);
  }
  count(volume.make_directory(kRootInode, "imprint-dir", attributes(0755)), tally);
  count(volume.make_symlink(kRootInode, "imprint-link", std::string(100, 'l'), {}), tally);
  if (!names) return;
  for (std::size_t i = 0; i < names->size() && i < 300; ++i) {
    const std::string& name = (*names)[i];
    const auto found = volume.lookup(kRootInode, name);
    if (found && *found && name != "lost+found") {
      count(volume.set_extended_attribute(**found, "user.imprint", bytes_of("value")), tally);
      count(volume.change_attributes(**found, {.mode = 0600}), tally);
    }
    if (i % 2 == 0) count(volume.write_file(kRootInode, name, bytes_of("new"), {}), tally);
    if (i % 3 == 0 && name != "lost+found") count(volume.remove(kRootInode, name), tally);
  }
}

[[nodiscard]] bool is_sound(const stdfs::path& image) {
  return run_command({"e2fsck", "-fn", image.string()}).status == 0;
}

void judge_edit(const FileImage& image, const Partition& partition, const stdfs::path& path,
                const TempDir& dir, Tally& tally) {
  Canvas canvas(image);
  {
    auto volume = Volume::open_edit(canvas, partition, edit_time());
    count(volume, tally);
    if (!volume) return;
    edit(*volume, tally);
    const Result<> committed = volume->commit();
    count(committed, tally);
    if (!committed) return;
  }
  if (!is_sound(path)) return;
  stdfs::copy_file(path, dir / "edited");
  auto file = File::open_read_write(dir / "edited");
  ASSERT_THAT(file, IsOk());
  const auto patch = canvas.patch();
  ASSERT_THAT(patch, IsOk());
  ASSERT_THAT(patch->apply(*file), IsOk());
  const CommandResult verdict = run_command({"e2fsck", "-fn", (dir / "edited").string()});
  EXPECT_EQ(verdict.status, 0) << "was sound before the edit\n" << verdict.out;
}

void judge(const stdfs::path& compressed) {
  const TempDir dir;
  const stdfs::path path = dir / "image";
  stdfs::copy_file(compressed, dir / "image.gz");
  ASSERT_EQ(run_command({"gunzip", "-q", (dir / "image.gz").string()}).status, 0);
  const auto image = FileImage::open(path);
  ASSERT_THAT(image, IsOk());
  const Partition partition{.number = 1,
                            .offset_bytes = 0,
                            .size_bytes = image->size_bytes(),
                            .file_system = "ext4",
                            .label = {}};
  Tally tally;
  const auto start = std::chrono::steady_clock::now();
  const auto volume = Volume::open_read(*image, partition);
  count(volume, tally);
  if (volume) walk(*volume, kRootInode, 0, tally);
  judge_edit(*image, partition, path, dir, tally);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  EXPECT_LT(took.count(), 30.0) << "seconds";
  std::cout << fmt::format("{}: {} nodes, {} refusals, {:.2f} s\n",
                           (compressed.parent_path().filename() / compressed.filename()).native(),
                           tally.nodes, tally.refused, took.count());
}

TEST(PublicImages, AreReadAndEditedOrRefusedWithAMessage) {
  const char* folder = std::getenv("IMPRINT_E2FSPROGS_TESTS");
  if (folder == nullptr) GTEST_SKIP() << "IMPRINT_E2FSPROGS_TESTS names no folder of images";
  IMPRINT_NEED_COMMAND("gunzip");
  IMPRINT_NEED_COMMAND("e2fsck");
  int judged = 0;
  for (const auto& entry : stdfs::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".gz" || !entry.is_regular_file()) continue;
    SCOPED_TRACE(entry.path());
    judge(entry.path());
    ++judged;
  }
  EXPECT_GT(judged, 0) << "no image in " << folder;
}

}  // namespace
}  // namespace imprint::image
