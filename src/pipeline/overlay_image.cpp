#include "overlay_image.hpp"

namespace imprint::pipeline {

Result<image::Canvas> overlaid(const image::ImageReader& base, const image::Patch& golden,
                               const golden::Overlay& overlay) {
  image::Canvas canvas(base);
  for (const image::Write& write : golden.writes)
    IMPRINT_TRY(canvas.write(write.offset, write.bytes));
  for (const golden::Overlay::Piece& piece : overlay.pieces()) {
    IMPRINT_TRY(canvas.write(piece.offset, overlay.bytes_of(piece)));
  }
  return canvas;
}

}  // namespace imprint::pipeline
