#include "other_formats.hpp"

#include <array>
#include <string_view>

#include <fmt/format.h>

#include "imprint/base/text.hpp"

namespace imprint::image {
namespace {

using std::string_view_literals::operator""sv;

struct Format {
  std::size_t offset;
  std::string_view magic;
  std::string_view what;
};

constexpr std::array kCompressed = {
    Format{0, "\x1f\x8b"sv, "gzip"},
    Format{0,
           "\xfd"
           "7zXZ\0"sv,
           "xz"},
    Format{0, "BZh"sv, "bzip2"},
    Format{0, "\x28\xb5\x2f\xfd"sv, "zstd"},
    Format{0, "\x04\x22\x4d\x18"sv, "lz4"},
    Format{0, "PK\x03\x04"sv, "zip"},
    Format{0, "7z\xbc\xaf\x27\x1c"sv, "7z"},
};

constexpr std::array kOthers = {
    Format{0, "QFI\xfb"sv, "a QCOW2 disk; convert it with 'qemu-img convert -O raw'"},
    Format{0, "KDMV"sv, "a VMDK disk; convert it with 'qemu-img convert -O raw'"},
    Format{0, "\x3a\xff\x26\xed"sv, "an Android sparse image; convert it with 'simg2img'"},
    Format{257, "ustar"sv, "a tar archive (as Mender Artifacts are); a disk image is needed"},
};

}  // namespace

bool has_magic(ByteView head, std::size_t offset, std::string_view magic) noexcept {
  return head.size() >= offset + magic.size() &&
         text_of(head.subspan(offset, magic.size())) == magic;
}

Result<> refuse_other_formats(const ImageReader& image, ByteView head) {
  const std::string name = quoted(image.path().native());
  for (const Format& format : kCompressed) {
    if (!has_magic(head, format.offset, format.magic)) continue;
    return fail(Code::invalid_input,
                fmt::format("{} is {} compressed; decompress it first", name, format.what));
  }
  for (const Format& format : kOthers) {
    if (!has_magic(head, format.offset, format.magic)) continue;
    return fail(Code::invalid_input, fmt::format("{} is {}", name, format.what));
  }
  return {};
}

}  // namespace imprint::image
