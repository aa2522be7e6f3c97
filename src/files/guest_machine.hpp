#pragma once

#include <memory>
#include <optional>

#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"
#include "imprint/files/image.hpp"
#include "imprint/guestfs/appliance.hpp"
#include "imprint/image/reader.hpp"

namespace imprint::files {

/// The appliance of one image, started when the first file system needs it. For changes it works on
/// a copy beside the image, which is dropped unless it takes the image's place.
class GuestMachine {
 public:
  enum class Purpose { read, edit };

  /// The image outlives it.
  GuestMachine(const image::FileImage& image, Purpose purpose, guestfs::ApplianceOptions options)
      : image_(image),
        purpose_(purpose),
        options_(std::move(options)) {}

  /// Starts the machine when it is not running yet.
  Result<image::FileSystemSource*> source();

  /// Whether there is a copy that holds changes.
  [[nodiscard]] bool has_copy() const noexcept { return copy_.has_value(); }

  /// From now on file systems are opened for reading only: those that were open have been committed
  /// and closed.
  void end_editing();

  /// Ends the machine; the copy, with these further changes of other file systems, takes the
  /// image's place.
  Result<> publish(const image::Patch& others, image::Survives survives);

 private:
  Result<> start();

  const image::FileImage& image_;
  Purpose purpose_;
  guestfs::ApplianceOptions options_;
  fs::path target_;
  std::optional<NewFile> copy_;
  std::unique_ptr<guestfs::Appliance> appliance_;
  std::unique_ptr<image::FileSystemSource> source_;
};

/// Opens file systems in this process where it can, and through the machine where it cannot, or
/// always. The machine outlives it.
[[nodiscard]] std::unique_ptr<image::FileSystemSource> mixed_source(
    std::unique_ptr<image::FileSystemSource> native, GuestMachine& machine, guestfs::Engine engine);

}  // namespace imprint::files
