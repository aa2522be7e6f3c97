#include <array>

#include <fmt/format.h>

#include "guest_file_system.hpp"
#include "imprint/guestfs/appliance.hpp"
#include "session.hpp"

namespace imprint::guestfs {

namespace {

constexpr std::array<std::string_view, 3> kKinds{"btrfs", "xfs", "f2fs"};
/// mkfs.xfs makes nothing smaller than 300 MiB; of all of it only holes remain.
constexpr std::uint64_t kDiskBytes = std::uint64_t{320} << 20;

Result<> write_and_read(Session& session, std::size_t drive) {
  constexpr std::string_view kText = "written by imprint doctor\n";
  const image::Partition whole{
      .number = 1, .offset_bytes = 0, .size_bytes = kDiskBytes, .file_system = {}, .label = {}};
  {
    Session::Mount mount = IMPRINT_TRY(session.mount(drive, whole));
    GuestFileSystem file_system(session, whole, std::move(mount));
    IMPRINT_TRY(file_system.write_file("/trial", image::MemoryContent(bytes_of(kText)), {}));
    IMPRINT_TRY(file_system.commit());
  }
  Session::Mount mount = IMPRINT_TRY(session.mount(drive, whole, Appliance::Access::read));
  GuestFileSystem file_system(session, whole, std::move(mount));
  const auto found = IMPRINT_TRY(file_system.read_whole("/trial"));
  if (text_of(found) == kText) return {};
  return fail(Code::check_failed, "what was written reads back as something else");
}

/// Formats a disk while the machine still sees it under its label.
Result<> make(Handle& handle, std::size_t drive) {
  IMPRINT_TRY(handle.shell(
      fmt::format("mkfs.{} /dev/disk/guestfs/{} >/dev/null", kKinds[drive], drive_label(drive))));
  return {};
}

}  // namespace

Result<Trial> try_appliance(const fs::path& directory, const ApplianceOptions& options) {
  std::vector<NewFile> disks;
  std::vector<Drive> drives;
  for (const std::string_view kind : kKinds) {
    NewFile disk =
        IMPRINT_TRY(NewFile::beside(directory / fmt::format("imprint-doctor-{}", kind), 0600));
    IMPRINT_TRY(disk.file().resize(kDiskBytes));
    drives.push_back({disk.temporary_path()});
    disks.push_back(std::move(disk));
  }
  const Library* const library = IMPRINT_TRY(Library::load());
  const auto begin = std::chrono::steady_clock::now();
  Launched launched = IMPRINT_TRY(launch(*library, drives, options));
  Trial trial;
  trial.acceleration = launched.acceleration;
  trial.start = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - begin);

  for (std::size_t i = 0; i < kKinds.size(); ++i) {
    Trial::Kind kind{.file_system = std::string(kKinds[i]), .error = {}};
    if (Result<> made = make(*launched.handle, i); !made) kind.error = std::move(made).error();
    trial.kinds.push_back(std::move(kind));
  }
  Session session(std::move(launched), drives, {});
  IMPRINT_TRY(session.detach_all());
  for (std::size_t i = 0; i < kKinds.size(); ++i) {
    if (trial.kinds[i].error) continue;
    if (Result<> result = write_and_read(session, i); !result)
      trial.kinds[i].error = std::move(result).error();
  }
  return trial;
}

}  // namespace imprint::guestfs
