#include "fat_image.hpp"

#include <algorithm>
#include <fstream>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "support/command.hpp"
#include "support/matchers.hpp"

namespace imprint::image::test {
namespace {

namespace fs = std::filesystem;
using imprint::test::IsOk;
using imprint::test::run_command;
using imprint::test::slurp;

}  // namespace

FatImage::FatImage(const FatShape& shape) : path_(dir_ / "x.img") {
  const std::string alone = (dir_ / "alone").native();
  std::ofstream(alone).close();
  fs::resize_file(alone, shape.size_bytes);
  std::vector<std::string> command{"mkfs.vfat", "-n", "BOOT", "-i", "12345678", "--invariant"};
  command.insert(command.end(), shape.options.begin(), shape.options.end());
  command.push_back(alone);
  const auto made = run_command(command);
  EXPECT_EQ(made.status, 0) << made.err;
  // What lies around the file system has to stay.
  std::ofstream(path_) << std::string(shape.offset_bytes, 'B');
  std::ofstream(path_, std::ios::app) << slurp(alone) << std::string(5000, 'A');
  partition_ = Partition{.number = 1,
                         .offset_bytes = shape.offset_bytes,
                         .size_bytes = shape.size_bytes,
                         .file_system = "vfat",
                         .label = "BOOT"};
  reopen();
}

void FatImage::reopen() {
  auto opened = FileImage::open(path_);
  ASSERT_THAT(opened, IsOk());
  image_ = std::make_unique<FileImage>(std::move(*opened));
}

std::vector<std::string> FatImage::on(const std::string& image,
                                      const std::vector<std::string>& command) const {
  std::vector<std::string> full{"env",
                                "MTOOLS_SKIP_CHECK=1",
                                "LC_ALL=C.UTF-8",
                                "TZ=UTC",
                                "SOURCE_DATE_EPOCH=1500000000",
                                command.front(),
                                "-i",
                                image};
  full.insert(full.end(), command.begin() + 1, command.end());
  return full;
}

void FatImage::prepare(const std::vector<std::string>& command, std::string_view input) {
  const std::string at = fmt::format("{}@@{}", path_.native(), partition_.offset_bytes);
  const auto done = run_command(on(at, command), input);
  ASSERT_EQ(done.status, 0) << done.err;
  reopen();
}

void FatImage::poke(std::uint64_t offset_in_file_system, std::string_view bytes) {
  std::fstream stream(path_, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekp(static_cast<std::streamoff>(partition_.offset_bytes + offset_in_file_system));
  stream.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  stream.close();
  ASSERT_TRUE(stream.good());
  reopen();
}

std::string FatImage::peek(std::uint64_t offset_in_file_system, std::size_t size) const {
  return slurp(path_).substr(partition_.offset_bytes + offset_in_file_system, size);
}

void FatImage::apply(const Canvas& canvas) {
  const std::string base = slurp(path_);
  std::string all(base.size(), '\0');
  ASSERT_THAT(canvas.read(0, std::as_writable_bytes(std::span(all))), IsOk());
  const std::uint64_t end = partition_.offset_bytes + partition_.size_bytes;
  EXPECT_EQ(all.substr(0, partition_.offset_bytes), base.substr(0, partition_.offset_bytes));
  EXPECT_EQ(all.substr(end), base.substr(end)) << "nothing but the partition is touched";
  std::ofstream(result_path(), std::ios::binary)
      << all.substr(partition_.offset_bytes, partition_.size_bytes);
}

std::string FatImage::mtools(const std::vector<std::string>& command) const {
  const auto done = run_command(on(result_path().native(), command));
  EXPECT_EQ(done.status, 0) << done.err;
  return done.out;
}

std::string FatImage::fsck_complaints() const {
  const auto done = run_command({"fsck.vfat", "-n", result_path().native()});
  // A sound one gives its version and one line of counts.
  const auto lines = std::count(done.out.begin(), done.out.end(), '\n');
  const bool small_fat32 = done.out.find("Filesystem is FAT32 according to") != std::string::npos;
  return done.status == 0 && (lines == 2 || (small_fat32 && lines == 5)) ? "" : done.out + done.err;
}

bool FatImage::result_holds(std::string_view text) const {
  return slurp(result_path()).find(text) != std::string::npos;
}

FatEdit::FatEdit(const FatImage& fat) : canvas(fat.image()) {
  constexpr TimePoint kNow(std::chrono::seconds(1600000001));
  source = edit_natively(canvas, kNow);
  auto opened = source->open(fat.partition());
  EXPECT_THAT(opened, IsOk());
  if (opened) file_system = std::move(*opened);
}

}  // namespace imprint::image::test
