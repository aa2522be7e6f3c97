// The end of the way that an image goes: a device boots from it, and the Mender client in it is
// accepted by the server behind the mutual-TLS edge, with the identity that imprint has put there.
// Kernel, init, client and file systems are the image's own. What the device leaves behind is
// looked at when it is off.

#include <algorithm>
#include <optional>

#include <gmock/gmock.h>

#include "accept/fleet.hpp"
#include "boot/booted_device.hpp"
#include "support/image_oracle.hpp"

namespace imprint::boot {
namespace {

namespace fs = std::filesystem;

using accept::Fleet;
using cli::test::Json;
using cli::test::kData;
using cli::test::kRootfsA;
using cli::test::kRootfsB;
using imprint::test::ImageOracle;
using imprint::test::run_command;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr int kBoot = 1;

Fleet::Wish bootable() {
  return {.edge_address = BootedDevice::kHost, .base_image = IMPRINT_BOOTABLE_IMAGE};
}

class Boot : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* program : {"qemu-system-x86_64", "debugfs", "e2fsck", "nginx", "python3"}) {
      if (!imprint::test::has_command(program))
        GTEST_SKIP() << "nothing can be booted here: needs the program '" << program << "'";
    }
    if (!fs::exists(IMPRINT_BOOTABLE_IMAGE)) {
      GTEST_SKIP() << "nothing can be booted here: needs the image that 'scripts/make-image "
                      "--variant bootable' makes";
    }
    IMPRINT_NEED_DEVICE_AUTH();
    fleet_.emplace(bootable());
    ASSERT_FALSE(HasFailure()) << "no device can be accepted";
  }

  [[nodiscard]] bool accepted(const std::string& id) const { return fleet_->server().works(id); }

  /// How often it was accepted, and with this certificate.
  [[nodiscard]] std::size_t acceptances(const std::string& id, const std::string& serial) const {
    const auto all = fleet_->server().authorizations(id, 200);
    return static_cast<std::size_t>(
        std::ranges::count_if(all, [&](const auto& one) { return one.serial == serial; }));
  }

  std::optional<Fleet> fleet_;
};

/// SHA-256 of a whole partition.
std::string digest(const fs::path& image, int number) {
  const ImageOracle disk(image);
  for (const auto& partition : disk.partitions()) {
    if (partition.number != number) continue;
    const fs::path part = image.string() + ".part";
    const auto copied = run_command(
        {"dd", "if=" + image.string(), "of=" + part.string(), "bs=1M", "conv=sparse",
         "iflag=skip_bytes,count_bytes", "skip=" + std::to_string(partition.offset_bytes),
         "count=" + std::to_string(partition.size_bytes), "status=none"});
    EXPECT_EQ(copied.status, 0) << copied.err;
    const std::string sum = imprint::test::sha256_of_file(part);
    fs::remove(part);
    return sum;
  }
  ADD_FAILURE() << "no partition " << number;
  return {};
}

/// What imprint has put on a disk: content, mode and owner.
std::vector<std::string> provisioned(const fs::path& image) {
  const ImageOracle disk(image);
  std::vector<std::string> all;
  for (const char* path : {"/mender/mender-cert-private.pem", "/mender/mender-cert.pem",
                           "/mender/mender.conf", "/mender/device_type"}) {
    all.push_back(disk.attributes(kData, path) + "\n" + disk.cat(kData, path));
  }
  for (const int rootfs : {kRootfsA, kRootfsB}) {
    for (const char* path : {"/etc/mender/mender.conf", "/etc/mender/server.crt", "/etc/hosts"})
      all.push_back(disk.attributes(rootfs, path) + "\n" + disk.cat(rootfs, path));
  }
  return all;
}

TEST_F(Boot, IsAcceptedAndKeepsItsIdentity) {
  const fs::path image = fleet_->provision({.id = "unit-1"});
  fleet_->preauthorize();
  const std::string serial = accept::serial_on(image);
  const auto before = provisioned(image);
  const std::string boot = digest(image, kBoot);
  const std::string rootfs_b = digest(image, kRootfsB);

  BootedDevice device(image, kRootfsA);
  ASSERT_TRUE(device.runs_until([&] { return accepted("unit-1"); })) << device.console();
  EXPECT_EQ(acceptances("unit-1", serial), 1U);
  ASSERT_TRUE(device.power_off()) << device.console();

  const ImageOracle disk(image);
  for (const int partition : {kRootfsA, kRootfsB, kData})
    EXPECT_THAT(disk.complaints(partition), IsEmpty()) << partition;
  EXPECT_EQ(provisioned(image), before);
  // It ran on this disk: the client has kept its token here. And it made no key of its own.
  EXPECT_EQ(disk.attributes(kData, "/mender/mender-store"), "0600 0:0");
  EXPECT_FALSE(disk.exists(kData, "/mender/mender-agent.pem"));
  // Nor had it anything to do with these.
  EXPECT_EQ(digest(image, kBoot), boot);
  EXPECT_EQ(digest(image, kRootfsB), rootfs_b);
}

TEST_F(Boot, IsAcceptedWithRootfsBUntilItIsRevoked) {
  const fs::path image = fleet_->provision({.id = "unit-2", .key = "rsa:3072", .target = "both"});
  fleet_->preauthorize();
  const std::string serial = accept::serial_on(image);
  {
    BootedDevice device(image, kRootfsB);
    ASSERT_TRUE(device.runs_until([&] { return accepted("unit-2"); })) << device.console();
    EXPECT_EQ(acceptances("unit-2", serial), 1U);
    ASSERT_TRUE(device.power_off()) << device.console();
  }
  fleet_->revoke("unit-2");
  fleet_->edge().refresh(Fleet::ledger());
  const std::size_t asked = fleet_->server().decisions().size();
  {
    BootedDevice device(image, kRootfsA);
    ASSERT_TRUE(device.runs_until([&] {
      return fleet_->edge().log().find("certificate revoked") != std::string::npos;
    })) << device.console();
    ASSERT_TRUE(device.power_off()) << device.console();
  }
  EXPECT_EQ(fleet_->server().decisions().size(), asked);
  EXPECT_THAT(ImageOracle(image).complaints(kData), IsEmpty());
}

/// The base image, told where its server is and whom to trust, as all of the fleet are.
fs::path without_identity(const Fleet::Wish& wish, const std::string& url) {
  const fs::path image = "unit-0.sdimg";
  const auto copied = run_command(
      {"cp", "--sparse=always", "--reflink=auto", wish.base_image.string(), image.string()});
  EXPECT_EQ(copied.status, 0) << copied.err;
  const std::string host = url.substr(url.find("//") + 2);
  accept::replace_file(image, "/etc/hosts",
                       wish.edge_address + " " + host.substr(0, host.find(':')) + "\n", "0644");
  accept::replace_file(image, "/etc/mender/server.crt", imprint::test::slurp("root/ca-cert.pem"),
                       "0644");
  const Json conf = {{"ServerURL", url}, {"ServerCertificate", "/etc/mender/server.crt"}};
  accept::replace_file(image, "/etc/mender/mender.conf", conf.dump());
  return image;
}

TEST_F(Boot, IsRefusedWithoutIdentity) {
  const fs::path image = without_identity(bootable(), fleet_->edge().url());
  BootedDevice device(image, kRootfsA);
  ASSERT_TRUE(device.runs_until([&] {
    return fleet_->edge().log().find("client sent no required SSL certificate") !=
           std::string::npos;
  })) << device.console();
  ASSERT_TRUE(device.power_off()) << device.console();
  EXPECT_THAT(fleet_->server().decisions(), IsEmpty());
  // It has tried, with a key that it has made itself.
  EXPECT_TRUE(ImageOracle(image).exists(kData, "/mender/mender-agent.pem"));
}

}  // namespace
}  // namespace imprint::boot
