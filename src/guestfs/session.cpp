// One image at a time.
//
// Clones of one base have the same btrfs fsid, XFS UUID and LVM UUIDs. A kernel that sees two of
// them takes one for the other: btrfs refuses the older, or swaps the device below a mount; LVM
// picks any of the duplicates. Unmounting and `btrfs device scan --forget` leave LVM, udev and the
// kernel's caches. So the drives themselves are taken away: all SCSI devices but the appliance's
// own are deleted after the boot, and the one whose turn it is is found again by a scan of its
// target. It is recognised by its serial number, not by its name or place. What was cached of
// another image goes with its device.
//
// Partitions are made from imprint's own table (addpart), not from the kernel's reading of it.

#include "session.hpp"

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "imprint/image/file_systems.hpp"

namespace imprint::guestfs {

namespace {

constexpr std::uint64_t kSectorBytes = 512;

[[nodiscard]] std::string mount_directory(const image::Partition& partition) {
  return fmt::format("/p{}", partition.number);
}

}  // namespace

Result<> Session::detach_all() {
  // /tmp of the appliance is on a disk of the host; passphrases pass through it.
  const std::string script = fmt::format(
      R"(set -e
mkdir -p /run/tmp && cp -a /tmp/. /run/tmp && mount -t tmpfs -o mode=1777 none /tmp && cp -a /run/tmp/. /tmp
lvm vgchange -an >/dev/null 2>&1 || true
mdadm --stop --scan >/dev/null 2>&1 || true
mount -t tmpfs none /sysroot
mkdir -p /dev/imprint
host=
for disk in /sys/bus/scsi/devices/*:*:*:*; do
  case $(tr -d '\0' <$disk/vpd_pg80) in *imprint[a-z][a-z]) ;; *) continue ;; esac
  name=${{disk##*/}}
  host=${{name%%:*}}
  echo 1 >$disk/delete
done
udevadm settle
echo "$host")");
  host_ = IMPRINT_TRY(handle().shell(script).context("taking the images from the appliance"));
  if (host_.empty()) return fail(Code::io, "the appliance does not see the images it was given");
  return {};
}

Result<std::string> Session::device_of_drive(std::size_t drive) {
  // The scan answers when the disk is there; its name may be any that is free.
  const std::string script = fmt::format(
      R"(set -e
echo '0 {1} 0' >/sys/class/scsi_host/host{0}/scan
udevadm settle
disk=/sys/bus/scsi/devices/{0}:0:{1}:0
case $(tr -d '\0' <$disk/vpd_pg80) in *{2}) ;; *) echo 'another disk is there' >&2; exit 1 ;; esac
name=$(ls $disk/block)
for part in /sys/block/$name/$name[0-9]*; do
  [ ! -e $part ] || delpart /dev/$name ${{part##*/$name}}
done
udevadm settle
echo /dev/$name)",
      host_, drive, drive_label(drive));
  return handle().shell(script);
}

Result<> Session::attach(std::size_t drive) {
  if (attached_) IMPRINT_TRY(detach());
  disk_ = IMPRINT_TRY(device_of_drive(drive).context(
      fmt::format("bringing {} into the appliance", quoted(drives_[drive].image.string()))));
  attached_ = drive;
  ++generation_;
  return {};
}

Result<> Session::detach() {
  const std::string script = fmt::format(
      R"(set -e
for directory in /sysroot/*; do
  ! mountpoint -q "$directory" || umount "$directory"
done
lvm vgchange -an >/dev/null 2>&1 || true
for name in $(ls /dev/mapper); do
  case $name in imprint-*) cryptsetup close $name ;; esac
done
rm -f /dev/imprint/*
sync
echo 1 >/sys/block/{}/device/delete
udevadm settle
btrfs device scan --forget >/dev/null 2>&1 || true)",
      disk_.substr(disk_.rfind('/') + 1));
  IMPRINT_TRY(handle().shell(script).context(
      fmt::format("taking {} from the appliance", quoted(drives_[*attached_].image.string()))));
  attached_.reset();
  return {};
}

Result<std::string> Session::add_partition(const image::Partition& partition) {
  if (partition.offset_bytes % kSectorBytes != 0) {
    return fail(Code::unsupported, "it does not begin at a sector of 512 bytes");
  }
  // A file system without a table may end within a sector, which no partition can.
  if (partition.offset_bytes == 0) return disk_;
  const std::string script = fmt::format(
      R"(set -e
[ -e {0}{1} ] || addpart {0} {1} {2} {3}
udevadm settle
echo {0}{1})",
      disk_, partition.number, partition.offset_bytes / kSectorBytes,
      partition.size_bytes / kSectorBytes);
  return handle().shell(script);
}

Result<Session::Mount> Session::mount(std::size_t drive, const image::Partition& partition,
                                      Appliance::Access access) {
  if (open_ > 0 && attached_ != drive) {
    return fail(Code::busy,
                fmt::format("a file system of {} is still open, and the appliance looks at one "
                            "image at a time",
                            quoted(drives_[*attached_].image.string())));
  }
  const bool read_only = drives_[drive].read_only || access == Appliance::Access::read;
  if (!read_only) IMPRINT_TRY(image::admit_edit(drives_[drive].image, partition));
  // When nothing is open the drive is brought in anew, so that what is read comes from the image.
  if (open_ == 0) IMPRINT_TRY(attach(drive));
  const std::string outer = IMPRINT_TRY(add_partition(partition));
  const std::string device = IMPRINT_TRY(without_layers(outer, 0));
  Mount mount{.directory = mount_directory(partition),
              .kind = {},
              .read_only = read_only,
              .generation = generation_};
  mount.kind = IMPRINT_TRY(kind_of(device));
  const std::string script =
      fmt::format("mkdir -p /sysroot{0} && mount -o {1} {2} /sysroot{0}", mount.directory,
                  mount.read_only ? "ro" : "rw,noatime", device);
  if (const auto mounted = handle().shell(script); !mounted) {
    return fail(Code::unsupported,
                fmt::format("the appliance cannot mount the {} file system: {}",
                            mount.kind.empty() ? "unknown" : mount.kind, mounted.error().what));
  }
  ++open_;
  return mount;
}

Result<> Session::unmount(const Mount& mount, bool trim) {
  if (mount.generation != generation_) return fail(Code::internal, "the drive has been changed");
  // Not everything can be trimmed (LUKS); the rest of the work does not depend on it.
  const std::string script = fmt::format(
      "set -e; sync; {1} umount /sysroot{0}; sync", mount.directory,
      trim ? fmt::format("fstrim /sysroot{} >/dev/null 2>&1 || true;", mount.directory) : "");
  --open_;
  IMPRINT_TRY(handle().shell(script));
  return {};
}

void Session::abandon(const Mount& mount) noexcept {
  if (mount.generation != generation_) return;
  --open_;
  (void)handle().shell(fmt::format("umount /sysroot{}", mount.directory));
}

}  // namespace imprint::guestfs
