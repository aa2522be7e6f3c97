#include "imprint/pipeline/materialize.hpp"

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "imprint/golden/golden.hpp"
#include "imprint/golden/store.hpp"
#include "imprint/image/bmap.hpp"
#include "imprint/image/clone.hpp"

namespace imprint::pipeline {

namespace {

constexpr unsigned kImageMode = 0600;
constexpr unsigned kBmapMode = 0644;

/// Reads the written image back: where the golden patch and the overlay wrote, their bytes must
/// stand.
Result<> check_written(const fs::path& path, const image::Patch& golden,
                       const golden::Overlay& overlay) {
  const auto image = IMPRINT_TRY(image::FileImage::open(path));
  image::Canvas expected(image);
  for (const image::Write& write : golden.writes)
    IMPRINT_TRY(expected.write(write.offset, write.bytes));
  for (const golden::Overlay::Piece& piece : overlay.pieces()) {
    IMPRINT_TRY(expected.write(piece.offset, overlay.bytes_of(piece)));
  }
  const image::Patch difference = IMPRINT_TRY(expected.patch());
  if (!difference.writes.empty()) {
    return fail(Code::check_failed,
                fmt::format("{}: byte {} reads back wrong", quoted(path.string()),
                            difference.writes[0].offset));
  }
  return {};
}

/// The block map: ranges cut where this overlay writes.
Result<> write_bmap(const fs::path& target, const fs::path& image_path,
                    const image::FileImage& base, const golden::Overlay& overlay) {
  std::vector<image::DataRange> touched;
  std::vector<image::BmapTemplate::DeviceWrite> writes;
  for (const golden::Overlay::Piece& piece : overlay.pieces()) {
    touched.push_back({piece.offset, piece.length});
    writes.push_back({piece.offset, overlay.bytes_of(piece)});
  }
  const auto image = IMPRINT_TRY(image::FileImage::open(image_path));
  const auto content = IMPRINT_TRY(image::content_ranges(base));
  const auto bmap = IMPRINT_TRY(image::BmapTemplate::build(image, touched, content));
  const std::string xml = IMPRINT_TRY(bmap->finish(writes));
  return write_file_atomic(target, bytes_of(xml), kBmapMode);
}

}  // namespace

Result<image::FileImage> open_store_base(const fs::path& store, const golden::StoreHeader& header,
                                         const std::optional<fs::path>& base,
                                         const image::Unpacking& unpacking) {
  const fs::path path = base.value_or(fs::path(header.base_path));
  auto opened = image::open_image(path, unpacking);
  if (!opened) {
    return fail(std::move(opened).error().context(
        fmt::format("base image of {} (say where it is now with --base)", quoted(store.string()))));
  }
  const crypto::Sha256Digest digest = IMPRINT_TRY(golden::content_digest(*opened));
  if (opened->size_bytes() != header.base_size_bytes || digest != header.base_digest) {
    return fail(Code::invalid_input,
                fmt::format("{} is not the base image that {} was made from (content digest {}, "
                            "expected {}): name it with --base",
                            quoted(path.string()), quoted(store.string()), to_hex(digest),
                            to_hex(header.base_digest)));
  }
  return opened;
}

Result<MaterializeReport> materialize(const MaterializeRequest& request) {
  const auto store = IMPRINT_TRY(golden::OverlayStore::open(request.store));
  const golden::StoreHeader& header = store.header();
  const auto entry = IMPRINT_TRY(store.get(request.id));
  golden::Overlay overlay;
  IMPRINT_TRY(overlay.parse(entry.serialized.view())
                  .context(fmt::format("overlay of {}", quoted(request.id))));

  std::error_code ignored;
  const fs::path target = fs::is_directory(request.output, ignored)
                              ? request.output / entry.image_name
                              : request.output;
  if (!request.force && fs::exists(target, ignored)) {
    return fail(Code::exists, fmt::format("{} exists already: use --force to overwrite it",
                                          quoted(target.string())));
  }
  image::Unpacking unpacking = request.unpacking;
  if (unpacking.directory.empty()) unpacking.directory = target.parent_path();
  const auto base = IMPRINT_TRY(open_store_base(request.store, header, request.base, unpacking));
  if (fs::equivalent(target, base.path(), ignored)) {
    return fail(Code::invalid_input,
                fmt::format("{} is the base image itself: choose another --output",
                            quoted(target.string())));
  }

  NewFile image = IMPRINT_TRY(NewFile::beside(target, kImageMode));
  IMPRINT_TRY(image::clone(base.file(), image.file()));
  IMPRINT_TRY(header.golden_patch.apply(image.file()));
  IMPRINT_TRY(overlay.apply(image.file()));
  IMPRINT_TRY(image.file().sync());
  IMPRINT_TRY(check_written(image.temporary_path(), header.golden_patch, overlay));

  MaterializeReport report{.image = target, .bmap = std::nullopt, .id = request.id};
  if (header.bmap) {
    report.bmap = target.string() + ".bmap";
    IMPRINT_TRY(write_bmap(*report.bmap, image.temporary_path(), base, overlay));
  }
  IMPRINT_TRY(image.publish_synced());
  IMPRINT_TRY(sync_directory(target.parent_path().empty() ? fs::path(".") : target.parent_path()));
  return report;
}

}  // namespace imprint::pipeline
