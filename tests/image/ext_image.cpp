#include "ext_image.hpp"

#include <cstdlib>
#include <fstream>

#include <gtest/gtest.h>

#include "imprint/base/file.hpp"
#include "support/command.hpp"

namespace imprint::image::test {
namespace {

using imprint::test::CommandResult;
using imprint::test::run_command;

constexpr std::uint64_t kTail = 5000;  // behind the file system, so that the image has an odd size

void expect_done(const CommandResult& result, const std::string& what) {
  EXPECT_EQ(result.status, 0) << what << ": " << result.out << result.err;
}

/// Images are too large for the iterators of slurp().
[[nodiscard]] std::string whole(const std::filesystem::path& path) {
  const Result<Bytes> bytes = read_file(path);
  EXPECT_TRUE(bytes.has_value()) << path;
  return bytes ? std::string(text_of(*bytes)) : std::string();
}

}  // namespace

TimePoint edit_time() {
  return TimePoint(std::chrono::seconds(1'900'000'000));
}

Attributes attributes(unsigned mode, unsigned uid, unsigned gid) {
  return Attributes{.mode = mode, .uid = uid, .gid = gid};
}

ExtImage::ExtImage(const ExtShape& shape) : path_(dir_ / "image.img") {
  { const std::ofstream made(path_); }
  std::filesystem::resize_file(
      path_, shape.offset_bytes + shape.size_bytes + (shape.offset_bytes == 0 ? 0 : kTail));
  std::vector<std::string> command{
      "env", "E2FSPROGS_FAKE_TIME=1700000000",       "mke2fs", "-q",  "-F",
      "-U",  "11111111-2222-3333-4444-555555555555", "-L",     "data"};
  command.insert(command.end(), shape.options.begin(), shape.options.end());
  std::string extended = "hash_seed=66666666-7777-8888-9999-aaaaaaaaaaaa";
  if (shape.offset_bytes != 0) extended += ",offset=" + std::to_string(shape.offset_bytes);
  command.insert(command.end(),
                 {"-E", extended, path_.string(), std::to_string(shape.size_bytes / 1024) + "k"});
  expect_done(run_command(command), "mke2fs");
  partition_ = Partition{.number = 4,
                         .offset_bytes = shape.offset_bytes,
                         .size_bytes = shape.size_bytes,
                         .file_system = "ext4",
                         .label = "data"};
  reopen();
}

void ExtImage::reopen() {
  auto opened = FileImage::open(path_);
  ASSERT_TRUE(opened.has_value()) << opened.error().message();
  image_ = std::make_unique<FileImage>(std::move(*opened));
}

void ExtImage::prepare(const std::vector<std::string>& commands) {
  std::string script;
  for (const std::string& command : commands)
    script += command + "\n";
  const auto file = dir_.write("prepare.debugfs", script);
  std::string device = path_.string();
  if (partition_.offset_bytes != 0) device += "?offset=" + std::to_string(partition_.offset_bytes);
  expect_done(run_command({"env", "E2FSPROGS_FAKE_TIME=1700000000", "debugfs", "-w", "-f",
                           file.string(), device}),
              "debugfs -w");
  reopen();
}

void ExtImage::damage(std::uint64_t offset_in_file_system) {
  std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
  const auto at = static_cast<std::streamoff>(partition_.offset_bytes + offset_in_file_system);
  file.seekg(at);
  const int byte = file.get();
  file.seekp(at);
  file.put(static_cast<char>(~byte));
}

void ExtImage::apply(std::initializer_list<const Canvas*> canvases) {
  std::filesystem::remove(result_path());
  std::filesystem::copy_file(path_, result_path());
  auto file = File::open_read_write(result_path());
  ASSERT_TRUE(file.has_value()) << file.error().message();
  for (const Canvas* canvas : canvases) {
    const Result<Patch> patch = canvas->patch();
    ASSERT_TRUE(patch.has_value()) << patch.error().message();
    const Result<> applied = patch->apply(*file);
    ASSERT_TRUE(applied.has_value()) << applied.error().message();
  }
  if (partition_.offset_bytes == 0) return;
  const std::string all = whole(result_path());
  std::ofstream(result_path(), std::ios::binary | std::ios::trunc)
      << all.substr(partition_.offset_bytes, partition_.size_bytes);
}

std::string ExtImage::debugfs(const std::string& request) const {
  const CommandResult result = run_command({"debugfs", "-R", request, result_path().string()});
  return result.out;
}

std::string ExtImage::fsck_complaints() const {
  const CommandResult result = run_command(
      {"env", "E2FSPROGS_FAKE_TIME=2000000000", "e2fsck", "-fn", result_path().string()});
  return result.status == 0 ? std::string() : result.out + result.err;
}

std::string ExtImage::content(const std::string& path) const {
  const auto to = dir_ / "dumped";
  std::filesystem::remove(to);
  const CommandResult result =
      run_command({"debugfs", "-R", "dump " + path + " " + to.string(), result_path().string()});
  EXPECT_TRUE(std::filesystem::exists(to)) << path << ": " << result.err;
  return whole(to);
}

std::string ExtImage::base_content() const {
  return whole(path_);
}

bool ExtImage::result_holds(std::string_view text) const {
  return whole(result_path()).find(text) != std::string::npos;
}

}  // namespace imprint::image::test
