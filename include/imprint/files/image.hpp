#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "imprint/base/clock.hpp"
#include "imprint/base/result.hpp"
#include "imprint/guestfs/appliance.hpp"
#include "imprint/guestfs/engine.hpp"
#include "imprint/image/decompress.hpp"
#include "imprint/image/file_systems.hpp"
#include "imprint/image/redo.hpp"

namespace imprint::files {

class GuestMachine;

/// Which of two root file systems a command is about. Reading takes A where nothing is said.
enum class RootChoice { both, a, b };

struct ViewOptions {
  guestfs::Engine engine = guestfs::Engine::automatic;
  guestfs::ApplianceOptions appliance = {};
  image::LayoutChoice layout;
  std::optional<int> partition;  ///< this one alone; its root is `/`
  RootChoice root = RootChoice::both;
};

/// An image opened for its files. One thread at a time.
class ImageView {
 public:
  /// A compressed image is decompressed first.
  static Result<std::unique_ptr<ImageView>> open(const fs::path& image, const ViewOptions& options,
                                                 const image::Unpacking& unpacking);
  ImageView(const ImageView&) = delete;
  ImageView& operator=(const ImageView&) = delete;
  virtual ~ImageView();

  [[nodiscard]] const fs::path& path() const noexcept { return image_.path(); }

  [[nodiscard]] const image::FileImage& file() const noexcept { return image_; }

  [[nodiscard]] const image::Layout& layout() const noexcept { return file_systems_->layout(); }

  /// The name spaces that were chosen, A first. Never empty.
  [[nodiscard]] std::vector<image::FileSystems::Root>& roots() noexcept { return roots_; }

  [[nodiscard]] image::FileSystems& file_systems() noexcept { return *file_systems_; }

  /// Any partition, by number.
  [[nodiscard]] Result<image::FileSystem*> partition(int number) {
    return file_systems_->at(number);
  }

  /// A path as reading sees it: by the first name space that has it. Code::not_found when none has.
  [[nodiscard]] Result<image::DeviceTree::Location> find(
      const std::string& path,
      image::DeviceTree::LastLink last = image::DeviceTree::LastLink::follow);
  /// Whether the other rootfs has another content under this path, which a reader should know.
  [[nodiscard]] Result<bool> differs_in_b(const std::string& path);

 protected:
  explicit ImageView(image::FileImage image);

  /// Opens what the layout says through `native`, and what that cannot open through the machine.
  Result<> attach(std::unique_ptr<image::FileSystemSource> native, const ViewOptions& options);

  image::FileImage image_;
  std::unique_ptr<GuestMachine> machine_;  // outlives the file systems
  std::optional<image::FileSystems> file_systems_;
  std::vector<image::FileSystems::Root> roots_;
};

/// An image opened for changes, which all happen or none: they are made in memory, read back, and
/// then applied to the file in place (redo.hpp). Those that need an appliance are made in a copy,
/// which then takes the image's name.
class ImageEdit final : public ImageView {
 public:
  static Result<std::unique_ptr<ImageEdit>> open(const fs::path& image, const ViewOptions& options,
                                                 TimePoint now);

  /// Looks at the image as it will be; what it refuses is not written.
  using Check = std::function<Result<>(ImageView& result)>;

  /// Brings the changes into the image. Nothing else is allowed after. Returns how many bytes were
  /// written to it.
  Result<std::uint64_t> finish(image::Survives survives, const Check& check);

 private:
  explicit ImageEdit(image::FileImage image);

  Result<> check_result(const Check& check);

  ViewOptions options_;
  std::unique_ptr<image::Canvas> canvas_;
};

}  // namespace imprint::files
