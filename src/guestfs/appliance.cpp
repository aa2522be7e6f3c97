#include "imprint/guestfs/appliance.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "guest_file_system.hpp"
#include "session.hpp"

namespace imprint::guestfs {

namespace {

class Source final : public image::FileSystemSource {
 public:
  Source(Session& session, std::size_t drive, Appliance::Access access)
      : session_(session),
        drive_(drive),
        access_(access) {}

  [[nodiscard]] Result<std::unique_ptr<image::FileSystem>> open(
      const image::Partition& partition) override {
    Session::Mount mount = IMPRINT_TRY(session_.mount(drive_, partition, access_)
                                           .context(fmt::format("partition {}", partition.number)));
    return std::unique_ptr<image::FileSystem>(
        std::make_unique<GuestFileSystem>(session_, partition, std::move(mount)));
  }

 private:
  Session& session_;
  std::size_t drive_;
  Appliance::Access access_;
};

class RunningAppliance final : public Appliance {
 public:
  explicit RunningAppliance(std::unique_ptr<Session> session) : session_(std::move(session)) {}

  [[nodiscard]] std::unique_ptr<image::FileSystemSource> source(std::size_t drive,
                                                                Access access) override {
    return std::make_unique<Source>(*session_, drive, access);
  }

  [[nodiscard]] Acceleration acceleration() const noexcept override {
    return session_->acceleration();
  }

 private:
  std::unique_ptr<Session> session_;
};

}  // namespace

Result<std::unique_ptr<Appliance>> Appliance::start(std::span<const Drive> drives,
                                                    ApplianceOptions options) {
  if (drives.empty() || drives.size() > kMaxDrives) {
    return fail(Code::internal, fmt::format("an appliance takes 1 to {} images", kMaxDrives));
  }
  const Library* const library = IMPRINT_TRY(Library::load());
  Launched launched = IMPRINT_TRY(launch(*library, drives, options));
  auto session = std::make_unique<Session>(std::move(launched),
                                           std::vector<Drive>(drives.begin(), drives.end()),
                                           std::move(options.passphrase));
  IMPRINT_TRY(session->detach_all());
  return std::unique_ptr<Appliance>(std::make_unique<RunningAppliance>(std::move(session)));
}

std::string_view name(Appliance::Acceleration acceleration) noexcept {
  return acceleration == Appliance::Acceleration::kvm ? "KVM" : "emulation";
}

bool needs_appliance(std::string_view file_system) noexcept {
  constexpr std::array<std::string_view, 5> kKinds{"btrfs", "f2fs", "xfs", "LVM2_member",
                                                   "crypto_LUKS"};
  return std::ranges::find(kKinds, file_system) != kKinds.end();
}

Result<std::string> library_version() {
  const Library* const library = IMPRINT_TRY(Library::load());
  const auto handle = IMPRINT_TRY(Handle::create(*library, std::chrono::seconds(1)));
  const std::unique_ptr<guestfs_version, void (*)(guestfs_version*)> version(
      library->version(handle->get()), library->free_version);
  if (!version) return fail(handle->error());
  const auto& numbers = *reinterpret_cast<const abi::Version*>(version.get());
  return fmt::format("{}.{}.{}", numbers.major, numbers.minor, numbers.release);
}

}  // namespace imprint::guestfs
