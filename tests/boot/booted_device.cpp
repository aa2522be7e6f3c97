#include "boot/booted_device.hpp"

#include <array>
#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace imprint::boot {

using imprint::test::slurp;
using imprint::test::wait_until;

namespace {

/// For a machine that has much else to do; a boot takes 10 seconds where it has not.
constexpr std::chrono::minutes kPatience(2);

/// A connection to a Unix socket, -1 when nobody listens.
int connect_to(const std::filesystem::path& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  EXPECT_LT(path.native().size(), sizeof address.sun_path);
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  ::close(fd);
  return -1;
}

}  // namespace

BootedDevice::BootedDevice(const std::filesystem::path& image, int rootfs)
    : qemu_({IMPRINT_BOOT_IMAGE, "--root", std::to_string(rootfs), "--console", dir_ / "typing",
             image.string()},
            dir_ / "console") {}

BootedDevice::~BootedDevice() {
  if (typing_ >= 0) ::close(typing_);
}

bool BootedDevice::runs_until(const std::function<bool()>& condition) {
  bool holds = false;
  wait_until([&] { return (holds = condition()) || !qemu_.running(); }, kPatience);
  return holds;
}

bool BootedDevice::power_off() {
  typing_ = connect_to(dir_ / "typing");
  constexpr std::string_view kCommand = "poweroff\n";
  EXPECT_EQ(::write(typing_, kCommand.data(), kCommand.size()),
            static_cast<ssize_t>(kCommand.size()));
  // Whoever may type hears what is said; QEMU makes the device wait for who does not listen.
  const auto is_off = [&] {
    std::array<char, 4096> heard = {};
    while (::recv(typing_, heard.data(), heard.size(), MSG_DONTWAIT) > 0) {
    }
    return !qemu_.running();
  };
  // The kernel's last words: it was not a panic.
  return wait_until(is_off, kPatience) && qemu_.wait() == 0 &&
         console().find("reboot: Power down") != std::string::npos;
}

std::string BootedDevice::console() const {
  return std::filesystem::exists(dir_ / "console") ? slurp(dir_ / "console") : std::string();
}

}  // namespace imprint::boot
