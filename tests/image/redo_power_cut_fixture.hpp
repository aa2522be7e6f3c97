#pragma once

#include <random>
#include <sys/stat.h>

#include "image/redo_fixture.hpp"

namespace imprint::image {

class RedoPowerCut : public Redo {
 protected:
  /// The files as the process sees them before one of its calls.
  struct Moment {
    std::string operation;
    Left left;
  };

  void record() {
    reset();
    const auto look = [&](std::string_view operation) {
      moments_.push_back(Moment{std::string(operation), what_is_left()});
      return 0;
    };
    {
      const ScopedFaultHook hook(look);
      ASSERT_THAT(apply(), IsOk());
    }
    (void)look("end");
  }

  /// Moments before an fsync, in order: of the journal, the directory, the image, the journal, the
  /// image, the directory. The proof that this is what is synced: every cut below.
  [[nodiscard]] std::vector<std::size_t> syncs() const {
    std::vector<std::size_t> at;
    for (std::size_t i = 0; i < moments_.size(); ++i) {
      if (moments_[i].operation == "fsync") at.push_back(i);
    }
    return at;
  }

  /// What the disk may hold of a file whose last synced and present contents are these: each sector
  /// either.
  [[nodiscard]] static std::string mixed(const std::string& synced, const std::string& present,
                                         std::mt19937& random) {
    std::string out = present;
    for (std::size_t at = 0; at < synced.size() && at < out.size(); at += 512) {
      if ((random() & 1U) != 0) out.replace(at, 512, synced, at, 512);
    }
    return out;
  }

  void cut(const std::string& image, const std::optional<std::string>& journal_bytes,
           const std::string& when) {
    restore(Left{image, journal_bytes, std::nullopt});
    expect_recovery(when);
  }

  std::vector<Moment> moments_;
};

}  // namespace imprint::image
