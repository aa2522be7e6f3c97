#pragma once

#include "imprint/base/bytes.hpp"
#include "imprint/base/result.hpp"
#include "imprint/image/reader.hpp"

namespace imprint::image {

/// Files that people take for a disk image (compressed ones, QCOW2, tar, ...), by their first
/// bytes: Code::invalid_input with what to do. `head` is the beginning of the image.
[[nodiscard]] Result<> refuse_other_formats(const ImageReader& image, ByteView head);

/// Whether these bytes stand there.
[[nodiscard]] bool has_magic(ByteView head, std::size_t offset, std::string_view magic) noexcept;

}  // namespace imprint::image
