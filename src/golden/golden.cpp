// The golden image: everything that all devices of a batch share, done once.
//
// The recipe is applied on a canvas over the base image, with libext2fs, and read back with fresh
// handles. What remains is a patch and, for each device file, where its inode and blocks are. A
// device's overlay is then a few hundred bytes put together without any file system: the inode for
// its size, the content for its blocks.
//
// A content of another number of blocks than the placeholder cannot be had that way: bitmaps, block
// counts and free space change. Such a device gets a variant: the same plan with another size, on a
// fresh canvas over the same base, and the difference to the golden image becomes part of its
// overlay. Certificate sizes of one batch vary by a few bytes, so there are none or few of them.
// Reserving spare blocks instead was rejected: the files would keep blocks beyond their end, which
// e2fsck reports.
#include "imprint/golden/golden.hpp"

#include <algorithm>
#include <cassert>

#include <fmt/format.h>

#include "edits.hpp"
#include "imprint/base/text.hpp"
#include "imprint/golden/device_image.hpp"
#include "imprint/image/file_systems.hpp"
#include "inode_decoder.hpp"
#include "variant.hpp"

namespace imprint::golden {
namespace {

bool is_on_data(std::string_view path) {
  const std::string normal = fs::path(path).lexically_normal().string();
  return normal == "/data" || normal.starts_with("/data/");
}

/// Whether any path of the recipe lies outside the data partition as it is written.
bool needs_rootfs(const Recipe& recipe) {
  const auto outside = [](const auto& file) { return !is_on_data(file.path); };
  return std::ranges::any_of(recipe.files, outside) ||
         std::ranges::any_of(recipe.merges, outside) ||
         std::ranges::any_of(recipe.device_files, outside);
}

Result<std::vector<FileSystemFacts>> facts_of(const image::ImageReader& image,
                                              std::span<const PlacedCopy> copies) {
  std::vector<FileSystemFacts> facts;
  for (const PlacedCopy& copy : copies) {
    facts.push_back(IMPRINT_TRY(FileSystemFacts::read(image, copy.partition).context(copy.label)));
  }
  return facts;
}

/// Whether the overlay writes exactly these bytes there.
bool writes(const Overlay& overlay, std::uint64_t offset, ByteView bytes) {
  for (const Overlay::Piece& piece : overlay.pieces()) {
    if (bytes.empty()) return true;
    if (offset < piece.offset) return false;
    if (offset >= piece.offset + piece.length) continue;
    const ByteView there =
        overlay.bytes_of(piece).subspan(static_cast<std::size_t>(offset - piece.offset));
    const std::size_t length = std::min(there.size(), bytes.size());
    if (!std::ranges::equal(there.first(length), bytes.first(length))) return false;
    bytes = bytes.subspan(length);
    offset += length;
  }
  return bytes.empty();
}

/// The bytes that the overlay writes at [offset, offset + length), if one piece has them all.
ByteView find(const Overlay& overlay, std::uint64_t offset, std::size_t length) {
  for (const Overlay::Piece& piece : overlay.pieces()) {
    if (offset < piece.offset || offset + length > piece.offset + piece.length) continue;
    return overlay.bytes_of(piece).subspan(static_cast<std::size_t>(offset - piece.offset), length);
  }
  return {};
}

/// Whether every piece lies where this variant has something to write.
bool stays_within(const Overlay& overlay, std::span<const image::DataRange> touched) {
  return std::ranges::all_of(overlay.pieces(), [touched](const Overlay::Piece& piece) {
    return std::ranges::any_of(touched, [&piece](const image::DataRange& range) {
      return range.offset <= piece.offset &&
             piece.offset + piece.length <= range.offset + range.length_bytes;
    });
  });
}

Unexpected differs(std::string what) {
  return fail(Code::check_failed, std::move(what));
}

Result<> check_attributes(unsigned mode, unsigned uid, unsigned gid,
                          const image::Attributes& expected) {
  if (mode != expected.mode) {
    return differs(fmt::format("its mode is {:04o}, it should be {:04o}", mode, expected.mode));
  }
  if (uid != expected.uid || gid != expected.gid) {
    return differs(fmt::format("its owner is {}:{}, it should be {}:{}", uid, gid, expected.uid,
                               expected.gid));
  }
  return {};
}

Result<> check_size(std::uint64_t size, ByteView expected) {
  if (size == expected.size()) return {};
  return differs(fmt::format("its size is {}, it should be {}", size, expected.size()));
}

Result<> check_copy(const PlacedCopy& copy, const FileSystemFacts& facts, ByteView content,
                    const image::Attributes& attributes, const Overlay& overlay,
                    const image::ImageReader& device) {
  const ByteView bytes = find(overlay, copy.placement.inode_offset, copy.placement.inode.size());
  if (bytes.empty()) return differs("the overlay does not write its inode");
  const auto inode = IMPRINT_TRY(decode_inode(bytes, copy.inode, facts, device));
  IMPRINT_TRY(check_attributes(inode.mode, inode.uid, inode.gid, attributes));
  IMPRINT_TRY(check_size(inode.size_bytes, content));
  for (const image::Extent& extent : inode.content) {
    const auto length =
        static_cast<std::size_t>(std::min<std::uint64_t>(extent.length_bytes, content.size()));
    if (!writes(overlay, extent.image_offset, content.first(length))) {
      return differs("its content is not what it should be");
    }
    content = content.subspan(length);
  }
  return {};
}

}  // namespace

struct Golden::Impl {
  Impl(const image::FileImage& base_image, image::Layout found_layout)
      : base(base_image),
        layout(std::move(found_layout)) {}

  const image::FileImage& base;
  image::Layout layout;
  EditPlan plan;
  image::Patch patch;
  std::optional<Variant> nominal;
  std::unique_ptr<VariantCache> variants;

  Result<> build(Recipe recipe);
  Result<Variant> build_variant(std::span<const std::uint64_t> sizes) const;
  Result<const Variant*> variant_for(std::span<const ByteView> contents) const;
};

Result<> Golden::Impl::build(Recipe recipe) {
  plan.recipe = std::move(recipe);

  image::Canvas canvas(base);
  image::FileSystems file_systems(image::edit_natively(canvas), layout);
  if (needs_rootfs(plan.recipe) && layout.rootfs_b && !layout.rootfs_b_populated) {
    plan.notes.push_back(fmt::format("rootfs B (partition {}) has no /etc/mender: left alone",
                                     layout.rootfs_b->number));
  }
  IMPRINT_TRY(plan_edits(file_systems, plan));
  std::vector<std::uint64_t> sizes;
  for (const DeviceFile& file : plan.recipe.device_files)
    sizes.push_back(file.nominal_bytes);
  auto copies = IMPRINT_TRY(place_device_files(file_systems, plan, sizes, &plan.notes));
  IMPRINT_TRY(file_systems.commit());

  IMPRINT_TRY(check_edits(canvas, layout, plan, copies).context("checking the golden image"));
  patch = IMPRINT_TRY(canvas.patch());
  auto facts = IMPRINT_TRY(facts_of(canvas, copies));
  nominal = IMPRINT_TRY(Variant::make(std::move(copies), std::move(facts), image::Patch()));
  variants = std::make_unique<VariantCache>(*nominal);
  return {};
}

Result<Variant> Golden::Impl::build_variant(std::span<const std::uint64_t> sizes) const {
  image::Canvas canvas(base);
  image::FileSystems file_systems(image::edit_natively(canvas), layout);
  IMPRINT_TRY(repeat_edits(file_systems, plan));
  auto copies = IMPRINT_TRY(place_device_files(file_systems, plan, sizes, nullptr));
  IMPRINT_TRY(file_systems.commit());
  IMPRINT_TRY(check_edits(canvas, layout, plan, copies).context("checking a golden variant"));

  image::Canvas golden(base);
  for (const image::Write& write : patch.writes) {
    IMPRINT_TRY(golden.write(write.offset, write.bytes));
  }
  const image::Patch from_golden = IMPRINT_TRY(canvas.patch_from(golden));
  auto facts = IMPRINT_TRY(facts_of(canvas, copies));
  return Variant::make(std::move(copies), std::move(facts), from_golden);
}

Result<const Variant*> Golden::Impl::variant_for(std::span<const ByteView> contents) const {
  assert(contents.size() == plan.recipe.device_files.size());
  if (nominal->fits(contents)) return &*nominal;
  for (std::size_t i = 0; i < contents.size(); ++i) {
    if (contents[i].empty()) {
      return fail(Code::invalid_input, fmt::format("{}: the content is empty",
                                                   quoted(plan.recipe.device_files[i].path)));
    }
  }
  return variants->get(
      contents, [this](std::span<const std::uint64_t> sizes) { return build_variant(sizes); });
}

Golden::Golden(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Golden::Golden(Golden&&) noexcept = default;
Golden& Golden::operator=(Golden&&) noexcept = default;
Golden::~Golden() = default;

Result<Golden> Golden::build(const image::FileImage& base, const image::Layout& layout,
                             Recipe recipe) {
  auto impl = std::make_unique<Impl>(base, layout);
  IMPRINT_TRY(impl->build(std::move(recipe)));
  return Golden(std::move(impl));
}

const image::Patch& Golden::patch() const noexcept {
  return impl_->patch;
}

const std::vector<std::string>& Golden::notes() const noexcept {
  return impl_->plan.notes;
}

std::vector<Golden::PlacedFile> Golden::placed_files() const {
  std::vector<PlacedFile> files;
  for (const PlacedCopy& copy : impl_->nominal->copies()) {
    files.push_back(
        {.device_file = copy.device_file, .path = copy.path, .partition = copy.partition.number});
  }
  return files;
}

std::vector<Golden::SharedCopy> Golden::shared_files() const {
  std::vector<SharedCopy> files;
  const EditPlan& plan = impl_->plan;
  for (const EditPlan::Claims* claims : {&plan.shared_places, &plan.merged_places}) {
    for (const auto& [place, path] : *claims)
      files.push_back({.path = path, .partition = place.partition});
  }
  return files;
}

Result<> Golden::make_overlay(std::span<const ByteView> contents, Overlay& into) const {
  const Variant* variant = IMPRINT_TRY(impl_->variant_for(contents));
  variant->make_overlay(contents, into);
  return {};
}

Result<> Golden::check_overlay(std::span<const ByteView> contents, const Overlay& overlay) const {
  const Variant& variant = *IMPRINT_TRY(impl_->variant_for(contents));
  if (!stays_within(overlay, variant.touched())) {
    return differs("the overlay writes where no device file is");
  }
  const DeviceImage device(impl_->base, impl_->patch, overlay);
  for (std::size_t i = 0; i < variant.copies().size(); ++i) {
    const PlacedCopy& copy = variant.copies()[i];
    auto checked =
        check_copy(copy, variant.facts(i), contents[copy.device_file],
                   impl_->plan.recipe.device_files[copy.device_file].attributes, overlay, device);
    if (!checked) {
      return fail(std::move(checked).error().context(quoted(copy.path)).context(copy.label));
    }
  }
  return {};
}

Result<> Golden::check_overlay_by_path(std::span<const ByteView> contents,
                                       const Overlay& overlay) const {
  const Variant& variant = *IMPRINT_TRY(impl_->variant_for(contents));
  const DeviceImage device(impl_->base, impl_->patch, overlay);
  image::FileSystems file_systems(image::read_natively(device), impl_->layout);
  for (const PlacedCopy& copy : variant.copies()) {
    const auto check = [&]() -> Result<> {
      image::DeviceTree& tree = file_systems.roots()[copy.root].tree;
      const ByteView content = contents[copy.device_file];
      const auto node = IMPRINT_TRY(tree.stat(copy.path));
      IMPRINT_TRY(check_attributes(node.mode, node.uid, node.gid,
                                   impl_->plan.recipe.device_files[copy.device_file].attributes));
      IMPRINT_TRY(check_size(node.size_bytes, content));
      const auto found = IMPRINT_TRY(tree.read_file(copy.path, content.size()));
      if (!std::ranges::equal(found, content)) {
        return differs("its content is not what it should be");
      }
      return {};
    };
    auto checked = check();
    if (!checked) {
      return fail(std::move(checked).error().context(quoted(copy.path)).context(copy.label));
    }
  }
  return {};
}

std::vector<image::DataRange> Golden::touched() const {
  const auto ranges = impl_->nominal->touched();
  return {ranges.begin(), ranges.end()};
}

Result<std::vector<image::DataRange>> Golden::touched_by(std::span<const ByteView> contents) const {
  const Variant* variant = IMPRINT_TRY(impl_->variant_for(contents));
  const auto ranges = variant->touched();
  return std::vector(ranges.begin(), ranges.end());
}

}  // namespace imprint::golden
