#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "imprint/guestfs/appliance.hpp"
#include "launch.hpp"

namespace imprint::guestfs {

/// A running appliance and which drive it sees. File systems hold on to it; the drive changes only
/// when none is open.
class Session {
 public:
  Session(Launched launched, std::vector<Drive> drives, PassphraseQuestion passphrase)
      : launched_(std::move(launched)),
        drives_(std::move(drives)),
        passphrase_(std::move(passphrase)) {}

  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() = default;

  [[nodiscard]] Handle& handle() noexcept { return *launched_.handle; }

  [[nodiscard]] Appliance::Acceleration acceleration() const noexcept {
    return launched_.acceleration;
  }

  [[nodiscard]] const Drive& drive(std::size_t index) const { return drives_[index]; }

  /// Right after the launch: takes all drives away from the machine again, which has looked at them
  /// while it came up.
  Result<> detach_all();

  /// A mounted file system.
  struct Mount {
    std::string directory;  ///< in libguestfs's name space, "/p4"
    std::string kind;       ///< blkid's word for what is mounted, "xfs"
    bool read_only = false;
    std::uint64_t generation = 0;
  };

  /// Brings a drive into the machine unless it is there, and mounts one of its partitions, through
  /// LUKS and LVM where there are such.
  Result<Mount> mount(std::size_t drive, const image::Partition& partition,
                      Appliance::Access access = Appliance::Access::edit);
  /// Syncs and takes the file system off; `trim`: what is free in it becomes holes of the image.
  Result<> unmount(const Mount& mount, bool trim);
  /// For what is given up: unmounted as well, errors ignored.
  void abandon(const Mount& mount) noexcept;

 private:
  Result<> attach(std::size_t drive);
  Result<> detach();
  Result<std::string> add_partition(const image::Partition& partition);
  Result<std::string> device_of_drive(std::size_t drive);
  Result<std::string> without_layers(std::string device, int depth);
  Result<std::string> open_luks(const std::string& device, int depth);
  Result<std::string> choose_logical_volume(const std::string& device, int depth);
  Result<std::string> kind_of(const std::string& device);

  Launched launched_;
  std::vector<Drive> drives_;
  PassphraseQuestion passphrase_;
  std::optional<crypto::SecretBytes> known_passphrase_;
  std::string host_;  ///< of the SCSI bus, "2"
  std::optional<std::size_t> attached_;
  std::string disk_;  ///< of the attached drive, "/dev/sda"
  std::uint64_t generation_ = 0;
  int open_ = 0;
};

}  // namespace imprint::guestfs
