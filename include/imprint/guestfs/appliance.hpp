#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/secret.hpp"
#include "imprint/image/file_system.hpp"

namespace imprint::guestfs {

/// An image for the appliance to work on.
struct Drive {
  fs::path image;  ///< raw; nobody else writes to it while the appliance runs
  bool read_only = false;
};

/// Asked for at the first encrypted partition, at most once.
using PassphraseQuestion = std::function<Result<crypto::SecretBytes>()>;

struct ApplianceOptions {
  /// For the start, and for each step after it.
  std::chrono::milliseconds timeout = std::chrono::seconds(120);
  /// How long a machine that uses KVM may take to come up before emulation is tried instead.
  std::chrono::milliseconds kvm_timeout = std::chrono::seconds(20);
  /// Empty: an encrypted partition is an error that says what to do.
  PassphraseQuestion passphrase = {};
};

/// btrfs, f2fs, xfs and whatever else a Linux kernel knows, also inside LVM and LUKS: a small
/// virtual machine (libguestfs's appliance) with the images as its disks. libguestfs is loaded when
/// the first appliance starts; nothing of it is needed before.
///
/// The machine sees one image at a time. All others are detached, so that clones of one base, whose
/// file systems have the same ids, cannot be mistaken for each other.
///
/// One thread at a time, the one that has started it. Leaves no process behind; a start that was
/// cut short may leave a folder of supermin's in /var/tmp.
class Appliance {
 public:
  enum class Acceleration { kvm, emulation };

  /// How many drives one appliance takes.
  static constexpr std::size_t kMaxDrives = 64;

  /// Boots: some seconds with KVM, 10 to 30 without; more the first time for a user, when
  /// libguestfs builds its appliance. Code::io when it cannot, with what to install or to change.
  static Result<std::unique_ptr<Appliance>> start(std::span<const Drive> drives,
                                                  ApplianceOptions options = {});

  Appliance() = default;
  Appliance(const Appliance&) = delete;
  Appliance& operator=(const Appliance&) = delete;
  virtual ~Appliance() = default;

  /// Whether file systems are to be changed; those of read-only drives never are.
  enum class Access { read, edit };

  /// The file systems of one drive, by index. The appliance outlives the source. What a file system
  /// has committed is in the image file, for everybody to read; whoever needs it on the disk syncs
  /// the file. Code::busy from open() while a file system of another drive is open.
  [[nodiscard]] virtual std::unique_ptr<image::FileSystemSource> source(
      std::size_t drive, Access access = Access::edit) = 0;

  /// Whether emulation was chosen, or had to be.
  [[nodiscard]] virtual Acceleration acceleration() const noexcept = 0;
};

/// `KVM` or `emulation`.
[[nodiscard]] std::string_view name(Appliance::Acceleration acceleration) noexcept;

/// Whether a partition of this kind (blkid's word) has to be opened through an appliance: true for
/// what the native source cannot open and a Linux kernel can.
[[nodiscard]] bool needs_appliance(std::string_view file_system) noexcept;

/// Whether an appliance works here, by trying.
struct Trial {
  struct Kind {
    std::string file_system;
    std::optional<Error> error;
  };

  Appliance::Acceleration acceleration = Appliance::Acceleration::emulation;
  std::chrono::milliseconds start{};  ///< how long the start took
  std::vector<Kind> kinds;            ///< made, written, and read again through another mount
};

/// Starts one with new, empty disks in this directory, which are removed again.
[[nodiscard]] Result<Trial> try_appliance(const fs::path& directory,
                                          const ApplianceOptions& options = {});

/// libguestfs's version as "1.48.6"; Code::io with the package to install when it is not there.
[[nodiscard]] Result<std::string> library_version();

}  // namespace imprint::guestfs
