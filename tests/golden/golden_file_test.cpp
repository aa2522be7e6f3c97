#include <string>
#include <sys/stat.h>

#include <gtest/gtest.h>

#include "imprint/golden/golden.hpp"
#include "support/fault.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace imprint::golden {
namespace {

using imprint::test::IsOk;

class GoldenFile : public testing::Test {
 protected:
  GoldenFile() {
    content_.replace(1000, 4, "base");
    base_path_ = dir_.write("base", content_);
    patch_.writes.push_back({.offset = 5000, .bytes = {std::byte{'n'}, std::byte{'e'}}});
    fs::create_directory(out_);
  }

  [[nodiscard]] Result<> write() const {
    const auto base = image::FileImage::open(base_path_).value();
    return write_golden_file(base, patch_, target_);
  }

  imprint::test::TempDir dir_;
  std::string content_ = std::string(100'000, '\0');
  fs::path base_path_;
  fs::path out_ = dir_ / "out";
  fs::path target_ = out_ / "golden";
  image::Patch patch_;
};

TEST_F(GoldenFile, IsTheBaseWithThePatch) {
  ASSERT_THAT(write(), IsOk());
  std::string expected = content_;
  expected.replace(5000, 2, "ne");
  EXPECT_EQ(imprint::test::slurp(target_), expected);
  EXPECT_EQ(imprint::test::slurp(base_path_), content_) << "the base is not written";

  struct stat status {};

  ASSERT_EQ(::stat(target_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(GoldenFile, IsTakenAsItIsWhenItIsThere) {
  ASSERT_THAT(write(), IsOk());
  const auto before = fs::last_write_time(target_);
  ASSERT_THAT(write(), IsOk());
  EXPECT_EQ(fs::last_write_time(target_), before);
}

TEST_F(GoldenFile, IsThereWholeOrNotAtAll) {
  std::string expected = content_;
  expected.replace(5000, 2, "ne");
  int failures = 0;
  for (int n = 1;; ++n) {
    ASSERT_LT(n, 1000);
    fs::remove(target_);
    bool fired = false;
    {
      const imprint::test::FailNth fault(n);
      const auto written = write();
      fired = fault.fired();
      // Some calls have a second way (a reflink that fails is copied).
      if (!written) ++failures;
      EXPECT_TRUE(!written || fs::exists(target_));
    }
    if (fs::exists(target_)) {
      EXPECT_EQ(imprint::test::slurp(target_), expected);
    }
    std::size_t names = 0;
    for ([[maybe_unused]] const auto& entry : fs::directory_iterator(out_))
      ++names;
    EXPECT_LE(names, fs::exists(target_) ? 1U : 0U) << "nothing is left behind, N = " << n;
    if (!fired) break;
  }
  EXPECT_GE(failures, 4) << "creating, writing, syncing and renaming were all made to fail";
}

}  // namespace
}  // namespace imprint::golden
