#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "support/process.hpp"
#include "support/temp_dir.hpp"

namespace imprint::accept {

/// How the files of an image come to the client that runs on them.
enum class Source {
  kernel,     ///< the kernel mounts the image's partitions; root's privilege
  extracted,  ///< debugfs takes them out; anybody who may have a user namespace
};

/// Why this machine cannot do it now; empty when it can.
[[nodiscard]] std::string hindrance(Source source);

/// What there is on this machine: the kernel, if it may be.
[[nodiscard]] Source best_source();

/// A device: the Mender client of the image (Debian's package, 3.4), running as a daemon on the
/// image's rootfs A and data partition (run_device). Stopped when it goes out of scope.
class Device {
 public:
  Device(const std::filesystem::path& image, Source source);
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  ~Device();

  /// Ends the client and gives the image back: what the client has written is in it then, if the
  /// kernel had mounted it.
  void stop();

  /// What the client has said so far.
  [[nodiscard]] std::string log() const;

 private:
  imprint::test::TempDir dir_;
  std::unique_ptr<imprint::test::Process> process_;
};

}  // namespace imprint::accept

/// Skips the test, visibly, where no client can run on an image's files.
#define IMPRINT_NEED_DEVICE(source)                       \
  if (const auto why = hindrance(source); !why.empty()) { \
    GTEST_SKIP() << why;                                  \
  }                                                       \
  static_assert(true, "")
