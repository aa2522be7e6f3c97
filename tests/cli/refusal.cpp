#include "refusal.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace imprint::cli::test {

namespace {

/// The base image's file, whatever its name leads to later: whether anybody writes to it.
class Watched {
 public:
  explicit Watched(const fs::path& file) : fd_(::open(file.c_str(), O_RDONLY | O_CLOEXEC)) {
    ::fstat(fd_, &before_);
  }

  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;

  ~Watched() { ::close(fd_); }

  [[nodiscard]] bool unchanged() const {
    struct stat now = {};
    return ::fstat(fd_, &now) == 0 && now.st_size == before_.st_size &&
           now.st_mtim.tv_sec == before_.st_mtim.tv_sec &&
           now.st_mtim.tv_nsec == before_.st_mtim.tv_nsec;
  }

 private:
  int fd_;
  struct stat before_ = {};
};

}  // namespace

void expect_refusals(const std::vector<Refusal>& refusals, Variant variant) {
  const Watched base(base_image(variant));
  for (const Refusal& refusal : refusals) {
    SCOPED_TRACE(refusal.name);
    BatchFolder folder(variant, 3);
    refusal.spoil(folder);
    const auto before = listing(".");
    const CommandResult result = imprint(refusal.arguments);
    EXPECT_EQ(result.status, refusal.status);
    EXPECT_EQ(result.err, "imprint: error: " + refusal.message + "\n");
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(listing("."), before) << "something was written";
  }
  EXPECT_TRUE(base.unchanged());
}

}  // namespace imprint::cli::test
