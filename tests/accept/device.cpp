#include "accept/device.hpp"

#include <algorithm>
#include <csignal>
#include <unistd.h>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "cli/batch_fixture.hpp"
#include "support/command.hpp"
#include "support/image_oracle.hpp"

namespace imprint::accept {

namespace fs = std::filesystem;

using imprint::cli::test::kData;
using imprint::cli::test::kRootfsA;
using imprint::test::CommandResult;
using imprint::test::has_command;
using imprint::test::ImageOracle;
using imprint::test::program_path;
using imprint::test::run_command;
using imprint::test::slurp;

namespace {

/// What the kernel mounts: `OFFSET:SIZE:IMAGE`.
std::string part_of(const fs::path& image, int number) {
  const ImageOracle oracle(image);
  const auto& partitions = oracle.partitions();
  const auto found =
      std::ranges::find_if(partitions, [&](const auto& p) { return p.number == number; });
  EXPECT_NE(found, partitions.end());
  return fmt::format("{}:{}:{}", found->offset_bytes, found->size_bytes, image.string());
}

/// The files of a partition in a folder of their own. debugfs says that it may not give them their
/// owners, which the user namespace makes up for.
std::string extracted(const fs::path& image, int number, const fs::path& folder) {
  fs::create_directory(folder);
  const std::string said =
      ImageOracle(image).debugfs(number, fmt::format("rdump / {}", folder.string()));
  EXPECT_FALSE(fs::is_empty(folder)) << said;
  return folder;
}

std::vector<std::string> namespaces(Source source) {
  if (source == Source::kernel) return {program_path("unshare"), "--mount"};
  return {program_path("unshare"), "--user", "--map-root-user", "--mount"};
}

}  // namespace

std::string hindrance(Source source) {
  for (const char* program : {"unshare", "setpriv", "chroot", "mount", "losetup", "debugfs"}) {
    if (!has_command(program)) return fmt::format("needs the program '{}'", program);
  }
  if (source == Source::kernel && ::geteuid() != 0) return "needs root, to mount an image";
  // A loop device, and a file system on it: containers may be root and have neither.
  const std::string tries =
      source == Source::kernel
          ? "mount -t tmpfs t /mnt && truncate -s 1M /mnt/f && "
            "mke2fs -q -F /mnt/f && mkdir /mnt/d && mount -o loop /mnt/f /mnt/d"
          : "mount -t tmpfs t /mnt";
  std::vector<std::string> command = namespaces(source);
  command.insert(command.end(), {"sh", "-c", "PATH=$PATH:/usr/sbin:/sbin; " + tries});
  const CommandResult result = run_command(command);
  if (result.status == 0) return {};
  std::string said = result.err.substr(0, result.err.find('\n'));
  return source == Source::kernel ? "cannot mount an image here: " + said
                                  : "there are no user namespaces here: " + said;
}

Source best_source() {
  return hindrance(Source::kernel).empty() ? Source::kernel : Source::extracted;
}

Device::Device(const fs::path& image, Source source) {
  std::vector<std::string> command = namespaces(source);
  // Nobody is left behind by a test that is killed.
  command.insert(command.end(), {"setpriv", "--pdeathsig", "KILL", IMPRINT_ACCEPT "/run_device"});
  command.push_back(dir_ / "root");
  if (source == Source::kernel) {
    command.push_back(part_of(image, kRootfsA));
    command.push_back(part_of(image, kData));
  } else {
    command.push_back(extracted(image, kRootfsA, dir_ / "rootfs"));
    command.push_back(extracted(image, kData, dir_ / "data"));
  }
  command.insert(command.end(), {"mender", "--no-syslog", "daemon"});
  process_ = std::make_unique<imprint::test::Process>(command, dir_ / "log");
}

Device::~Device() {
  stop();
}

void Device::stop() {
  process_->signal(SIGTERM);
  process_->wait();
}

std::string Device::log() const {
  return slurp(dir_ / "log");
}

}  // namespace imprint::accept
