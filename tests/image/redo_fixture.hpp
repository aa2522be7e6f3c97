#pragma once

#include <cstdlib>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "image/ext_image.hpp"
#include "imprint/image/canvas.hpp"
#include "imprint/image/redo.hpp"
#include "support/command.hpp"
#include "support/fault.hpp"
#include "support/matchers.hpp"

namespace imprint::image {

using imprint::test::FailNth;
using imprint::test::FailsWith;
using imprint::test::IsOk;
using imprint::test::ScopedFaultHook;
using imprint::test::TempDir;

inline constexpr std::string_view kNote = "row 7 of the ledger";
inline constexpr std::string_view kOldKey = "OLD-PRIVATE-KEY";
inline constexpr std::string_view kNewKey = "NEW-PRIVATE-KEY";
/// At no block boundary of the image: blocks and sectors must not be mixed up.
inline constexpr std::uint64_t kOffset = std::uint64_t{7} * 512;

[[nodiscard]] inline std::string content_of(std::string_view word, std::size_t lines) {
  std::string text;
  for (std::size_t i = 0; i < lines; ++i)
    text += std::string(word) + std::to_string(i) + "\n";
  return text;
}

[[nodiscard]] inline std::string bytes_in(const fs::path& path) {
  const auto bytes = read_file(path);
  EXPECT_THAT(bytes, IsOk());
  return bytes ? std::string(text_of(*bytes)) : std::string();
}

inline void overwrite(const fs::path& path, std::string_view bytes) {
  std::error_code none;
  fs::remove(path, none);
  File file = File::create_new(path, 0600).value();
  ASSERT_THAT(file.write_all(0, bytes_of(bytes)), IsOk());
}

class Redo : public testing::Test {
 protected:
  /// Thousands of runs, each with several fsyncs: in memory where there is such a file system.
  /// (What an fsync is for is proved by the power cuts below, which no real disk would give us.)
  static void SetUpTestSuite() {
    // No other thread yet. NOLINTNEXTLINE(concurrency-mt-unsafe)
    if (fs::is_directory("/dev/shm")) ::setenv("TMPDIR", "/dev/shm", 0);
  }

  void SetUp() override {
    IMPRINT_NEED_COMMAND("mke2fs");
    made_ = std::make_unique<test::ExtImage>(
        test::ExtShape{.name = "small",
                       .options = {"-t", "ext4", "-b", "1024", "-O", "^has_journal", "-N", "32"},
                       .size_bytes = 160U << 10,
                       .offset_bytes = kOffset});
    image_ = made_->path();
    // The old image has a key already, which the edit replaces and zeroes.
    ASSERT_THAT(make_patch({{"key.pem", content_of(kOldKey, 70)}}).apply_to(image_), IsOk());
    old_ = bytes_in(image_);
    edit_ = make_patch(
        {{"key.pem", content_of(kNewKey, 60)}, {"cert.pem", content_of("CERTIFICATE", 40)}});
    overwrite(made_->dir() / "new", old_);
    ASSERT_THAT(edit_.apply_to(made_->dir() / "new"), IsOk());
    new_ = bytes_in(made_->dir() / "new");
    ASSERT_NE(old_, new_);
    ASSERT_NE(old_.find(kOldKey), std::string::npos);
    ASSERT_NE(new_.find(kNewKey), std::string::npos);
    ASSERT_EQ(new_.find(kOldKey), std::string::npos) << "the old key was not zeroed";
  }

  struct Edit {
    Patch patch;
    std::vector<std::shared_ptr<const Volume::FreeMap>> maps;

    [[nodiscard]] Result<> apply_to(const fs::path& path) const {
      File file = IMPRINT_TRY(File::open_read_write(path));
      return patch.apply(file);
    }
  };

  [[nodiscard]] Edit make_patch(
      const std::vector<std::pair<std::string, std::string>>& files) const {
    Edit edit;
    const FileImage image = FileImage::open(image_).value();
    Canvas canvas(image);
    auto volume = Volume::open_edit(canvas, made_->partition(), test::edit_time()).value();
    edit.maps.push_back(volume.original_free_map());
    for (const auto& [name, text] : files) {
      EXPECT_THAT(volume.write_file(kRootInode, name, bytes_of(text), test::attributes(0600)),
                  IsOk());
    }
    EXPECT_THAT(volume.commit(), IsOk());
    edit.patch = canvas.patch().value();
    return edit;
  }

  [[nodiscard]] Result<> apply() const {
    return InPlaceEdit::apply(image_, edit_.patch, edit_.maps, kNote, nullptr, survives_);
  }

  Survives survives_ = Survives::power_cut;

  [[nodiscard]] fs::path journal() const {
    return image_.parent_path() / ".image.img.imprint-redo";
  }

  [[nodiscard]] fs::path new_journal() const {
    return image_.parent_path() / ".image.img.imprint-redo.new";
  }

  void reset() const {
    std::error_code none;
    fs::remove(journal(), none);
    fs::remove(new_journal(), none);
    // In place, keeping the inode: what other tests hold locks on.
    File file = File::open_read_write(image_).value();
    ASSERT_THAT(file.write_all(0, bytes_of(old_)), IsOk());
  }

  /// What an interrupted edit has left, to be put back.
  struct Left {
    std::string image;
    std::optional<std::string> journal;
    std::optional<std::string> new_journal;
  };

  [[nodiscard]] Left what_is_left() const {
    const auto maybe = [](const fs::path& path) {
      return fs::exists(path) ? std::optional(bytes_in(path)) : std::nullopt;
    };
    return Left{bytes_in(image_), maybe(journal()), maybe(new_journal())};
  }

  void restore(const Left& left) const {
    reset();
    File file = File::open_read_write(image_).value();
    ASSERT_THAT(file.write_all(0, bytes_of(left.image)), IsOk());
    if (left.journal) overwrite(journal(), *left.journal);
    if (left.new_journal) overwrite(new_journal(), *left.new_journal);
  }

  void expect_settled(const std::string& when) const {
    const std::string now = bytes_in(image_);
    EXPECT_TRUE(now == old_ || now == new_) << when << ": neither the old image nor the new one";
    EXPECT_FALSE(fs::exists(journal())) << when;
    EXPECT_FALSE(fs::exists(new_journal())) << when;
  }

  /// What recover() says must agree with what the image is.
  void expect_recovery(const std::string& when) const {
    const auto recovery = recover(image_);
    ASSERT_THAT(recovery, IsOk()) << when;
    const std::string now = bytes_in(image_);
    if (recovery->outcome == Recovery::Outcome::rolled_forward) {
      EXPECT_TRUE(now == new_) << when;
    }
    if (recovery->outcome == Recovery::Outcome::rolled_back) {
      EXPECT_TRUE(now == old_) << when;
    }
    if (recovery->outcome != Recovery::Outcome::nothing_to_do) {
      EXPECT_EQ(recovery->note, kNote) << when;
    }
    expect_settled(when);
  }

  /// Runs `action` in a child that dies at its Nth changing call. False when it made fewer.
  template <class Action>
  [[nodiscard]] static bool dies_at(int nth, Action action) {
    constexpr int kDied = 42;
    const pid_t child = ::fork();
    if (child == 0) {
      int calls = 0;
      sys::set_fault_hook([&](std::string_view /*operation*/) {
        if (++calls == nth) ::_exit(kDied);
        return 0;
      });
      (void)action();
      ::_exit(0);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status));
    return WEXITSTATUS(status) == kDied;
  }

  std::unique_ptr<test::ExtImage> made_;
  fs::path image_;
  std::string old_;
  std::string new_;
  Edit edit_;
};

}  // namespace imprint::image
