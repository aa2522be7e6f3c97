#include "guest_machine.hpp"

#include <array>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "imprint/image/clone.hpp"

namespace imprint::files {
namespace {

class MixedSource final : public image::FileSystemSource {
 public:
  MixedSource(std::unique_ptr<image::FileSystemSource> native, GuestMachine& machine,
              guestfs::Engine engine)
      : native_(std::move(native)),
        machine_(machine),
        engine_(engine) {}

  [[nodiscard]] Result<std::unique_ptr<image::FileSystem>> open(
      const image::Partition& partition) override {
    const bool through_machine =
        engine_ == guestfs::Engine::guestfs ||
        (engine_ == guestfs::Engine::automatic && guestfs::needs_appliance(partition.file_system));
    if (!through_machine) return native_->open(partition);
    image::FileSystemSource* source = IMPRINT_TRY(machine_.source());
    return source->open(partition);
  }

 private:
  std::unique_ptr<image::FileSystemSource> native_;
  GuestMachine& machine_;
  guestfs::Engine engine_;
};

/// A name under which the machine can open the image; by the descriptor where it has no name,
/// because it was decompressed.
[[nodiscard]] fs::path openable(const image::FileImage& image) {
  struct stat info {};

  const bool nameless = ::fstat(image.file().fd(), &info) == 0 && info.st_nlink == 0;
  return nameless ? fs::path(fmt::format("/proc/{}/fd/{}", ::getpid(), image.file().fd()))
                  : image.path();
}

}  // namespace

Result<> GuestMachine::start() {
  guestfs::Drive drive{.image = openable(image_), .read_only = true};
  if (purpose_ == Purpose::edit) {
    std::error_code unresolved;
    target_ = fs::canonical(image_.path(), unresolved);  // what a link leads to, not the link
    if (unresolved) target_ = image_.path();

    struct stat info {};

    if (::fstat(image_.file().fd(), &info) != 0) {
      return fail(system_error("looking at " + quoted(image_.path().native())));
    }
    copy_.emplace(IMPRINT_TRY(NewFile::beside(target_, info.st_mode & 07777U)));
    // The copy is the image's successor: the same owner, where that can be given.
    if (::geteuid() == 0 && ::fchown(copy_->file().fd(), info.st_uid, info.st_gid) != 0) {
      return fail(system_error("the owner of the copy of " + quoted(image_.path().native())));
    }
    IMPRINT_TRY(image::clone(image_.file(), copy_->file()));
    drive = {.image = copy_->temporary_path(), .read_only = false};
  }
  const std::array drives{drive};
  appliance_ = IMPRINT_TRY(
      guestfs::Appliance::start(drives, options_).context(quoted(image_.path().native())));
  source_ = appliance_->source(0, purpose_ == Purpose::edit ? guestfs::Appliance::Access::edit
                                                            : guestfs::Appliance::Access::read);
  return {};
}

Result<image::FileSystemSource*> GuestMachine::source() {
  if (!appliance_) IMPRINT_TRY(start());
  return source_.get();
}

void GuestMachine::end_editing() {
  purpose_ = Purpose::read;
  if (appliance_) source_ = appliance_->source(0, guestfs::Appliance::Access::read);
}

Result<> GuestMachine::publish(const image::Patch& others, image::Survives survives) {
  source_.reset();
  appliance_.reset();
  const bool changed = IMPRINT_TRY(image_.changed_since_opened());
  if (changed) {
    return fail(Code::busy,
                fmt::format("{} was changed by somebody else meanwhile; run the command "
                            "again",
                            quoted(image_.path().native())));
  }
  IMPRINT_TRY(others.apply(copy_->file()));
  if (survives == image::Survives::kill) return copy_->publish_synced();
  IMPRINT_TRY(copy_->publish());
  return sync_directory(target_.parent_path());
}

std::unique_ptr<image::FileSystemSource> mixed_source(
    std::unique_ptr<image::FileSystemSource> native, GuestMachine& machine,
    guestfs::Engine engine) {
  return std::make_unique<MixedSource>(std::move(native), machine, engine);
}

}  // namespace imprint::files
