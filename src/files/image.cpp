#include "imprint/files/image.hpp"

#include <utility>

#include <fmt/format.h>

#include "guest_machine.hpp"
#include "imprint/base/text.hpp"
#include "imprint/image/volume.hpp"

namespace imprint::files {
namespace {

using image::DeviceTree;
using image::FileSystems;

/// Of an image whose parts nobody needs to know, because one partition was asked for by number.
Result<image::Layout> layout_of(const image::FileImage& image, const ViewOptions& options) {
  if (!options.partition) return image::find_layout(image, options.layout);
  auto table = IMPRINT_TRY(image::read_partition_table(image));
  image::Layout layout;
  layout.table = table.kind;
  layout.partitions = std::move(table.partitions);
  return layout;
}

Result<std::vector<FileSystems::Root>> choose_roots(FileSystems& file_systems,
                                                    const ViewOptions& options) {
  std::vector<FileSystems::Root> chosen;
  if (options.partition) {
    chosen.push_back(IMPRINT_TRY(file_systems.alone(*options.partition)));
    return chosen;
  }
  for (FileSystems::Root& root : file_systems.roots()) {
    const bool wanted =
        options.root == RootChoice::both || (options.root == RootChoice::b) == root.is_second;
    if (wanted) chosen.push_back(std::move(root));
  }
  if (chosen.empty()) {
    return fail(Code::not_found,
                "the image has no rootfs B that can be used (--rootfs b): it is missing or empty");
  }
  return chosen;
}

/// A view of an image as an edit will leave it: over the canvas, without a file of its own.
class ResultView final : public ImageView {
 public:
  static Result<std::unique_ptr<ImageView>> open(const image::FileImage& image,
                                                 std::unique_ptr<image::FileSystemSource> source,
                                                 const image::Layout& layout,
                                                 const ViewOptions& options) {
    auto file = IMPRINT_TRY(image::FileImage::open(image.path()));
    std::unique_ptr<ResultView> view(new ResultView(std::move(file)));
    view->file_systems_.emplace(std::move(source), layout);
    view->roots_ = IMPRINT_TRY(choose_roots(*view->file_systems_, options));
    return std::unique_ptr<ImageView>(std::move(view));
  }

 private:
  using ImageView::ImageView;
};

}  // namespace

ImageView::ImageView(image::FileImage image) : image_(std::move(image)) {}

ImageView::~ImageView() = default;

Result<> ImageView::attach(std::unique_ptr<image::FileSystemSource> native,
                           const ViewOptions& options) {
  auto layout = IMPRINT_TRY(layout_of(image_, options));
  file_systems_.emplace(mixed_source(std::move(native), *machine_, options.engine),
                        std::move(layout));
  roots_ = IMPRINT_TRY(choose_roots(*file_systems_, options).context(quoted(path().native())));
  return {};
}

Result<std::unique_ptr<ImageView>> ImageView::open(const fs::path& image,
                                                   const ViewOptions& options,
                                                   const image::Unpacking& unpacking) {
  auto file = IMPRINT_TRY(image::open_image(image, unpacking));
  std::unique_ptr<ImageView> view(new ImageView(std::move(file)));
  view->machine_ =
      std::make_unique<GuestMachine>(view->image_, GuestMachine::Purpose::read, options.appliance);
  IMPRINT_TRY(view->attach(image::read_natively(view->image_), options));
  return view;
}

Result<DeviceTree::Location> ImageView::find(const std::string& path, DeviceTree::LastLink last) {
  std::optional<Error> first;
  for (FileSystems::Root& root : roots_) {
    auto location = root.tree.resolve(path, nullptr, last);
    if (location && location->node) return location;
    if (!location && location.error().code != Code::not_found) {
      return fail(std::move(location).error().context(quoted(this->path().native())));
    }
    if (!first) {
      first = location ? Error(Code::not_found, fmt::format("{} does not exist", quoted(path)))
                       : std::move(location).error();
    }
  }
  return fail(std::move(*first).context(quoted(this->path().native())));
}

Result<bool> ImageView::differs_in_b(const std::string& path) {
  if (roots_.size() < 2) return false;
  constexpr std::uint64_t kLimitBytes = 1U << 20;  // a note is not worth reading more
  std::optional<crypto::WipedBytes> first;
  for (FileSystems::Root& root : roots_) {
    const auto location = root.tree.resolve(path);
    if (!location || !location->node || location->node->type != image::NodeType::file) return false;
    if (location->node->size_bytes > kLimitBytes) return false;
    auto content = IMPRINT_TRY(location->file_system->read_whole(location->path, kLimitBytes));
    if (first) return *first != content;
    first = std::move(content);
  }
  return false;
}

ImageEdit::ImageEdit(image::FileImage image) : ImageView(std::move(image)) {}

Result<std::unique_ptr<ImageEdit>> ImageEdit::open(const fs::path& image,
                                                   const ViewOptions& options, TimePoint now) {
  auto file = IMPRINT_TRY(image::FileImage::open(image));
  std::unique_ptr<ImageEdit> edit(new ImageEdit(std::move(file)));
  edit->options_ = options;
  edit->canvas_ = std::make_unique<image::Canvas>(edit->image_);
  edit->machine_ =
      std::make_unique<GuestMachine>(edit->image_, GuestMachine::Purpose::edit, options.appliance);
  IMPRINT_TRY(edit->attach(image::edit_natively(*edit->canvas_, now), options));
  return edit;
}

Result<> ImageEdit::check_result(const Check& check) {
  const image::Layout layout = file_systems_->layout();
  // What an appliance has mounted has to be let go before it can be looked at afresh.
  roots_.clear();
  file_systems_.reset();
  machine_->end_editing();
  auto source = mixed_source(image::read_natively(*canvas_), *machine_,
                             machine_->has_copy() ? options_.engine : guestfs::Engine::native);
  auto result = IMPRINT_TRY(ResultView::open(image_, std::move(source), layout, options_));
  return check(*result).context("checking what would be written");
}

Result<std::uint64_t> ImageEdit::finish(image::Survives survives, const Check& check) {
  std::vector<std::shared_ptr<const image::Volume::FreeMap>> maps;
  for (image::FileSystem* file_system : file_systems_->opened()) {
    if (const image::Volume* volume = file_system->volume())
      maps.push_back(volume->original_free_map());
  }
  IMPRINT_TRY(file_systems_->commit().context(quoted(path().native())));
  IMPRINT_TRY(check_result(check));
  const image::Patch patch = IMPRINT_TRY(canvas_->patch());
  if (machine_->has_copy()) {
    IMPRINT_TRY(machine_->publish(patch, survives));
    return image_.size_bytes();
  }
  if (patch.writes.empty()) return std::uint64_t{0};
  IMPRINT_TRY(image::InPlaceEdit::apply(path(), patch, maps, {}, &image_, survives));
  return patch.total_bytes();
}

}  // namespace imprint::files
