// Reading a block map, by expat.
//
// It is a file that anybody may have made. A document type is refused at its first byte, and with
// it all entities but XML's own: nothing in it can grow or lead elsewhere. Elements that are not
// known are passed over, as bmaptool does.

#include "bmap_file.hpp"

#include <charconv>
#include <expat.h>
#include <memory>
#include <new>
#include <optional>
#include <type_traits>

#include <fmt/format.h>

#include "imprint/base/text.hpp"

namespace imprint::image {
namespace {

/// Longer than any number or checksum.
constexpr std::size_t kMostText = 1024;

struct ParserFree {
  void operator()(XML_Parser parser) const noexcept { XML_ParserFree(parser); }
};

using ParserPtr = std::unique_ptr<std::remove_pointer_t<XML_Parser>, ParserFree>;

[[nodiscard]] std::string_view trimmed(std::string_view text) noexcept {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

[[nodiscard]] std::optional<std::uint64_t> number_of(std::string_view text) noexcept {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// What the handlers collect: the text of an element is complete when it ends.
class Reader {
 public:
  explicit Reader(XML_Parser parser) : parser_(parser) {
    XML_SetUserData(parser, this);
    XML_SetElementHandler(parser, on_start, on_end);
    XML_SetCharacterDataHandler(parser, on_text);
    XML_SetStartDoctypeDeclHandler(parser, on_doctype);
  }

  [[nodiscard]] Result<BmapFile> read(std::string_view text);

 private:
  /// No exception may fly through the library's frames.
  template <class Work>
  void guarded(const Work& work) noexcept {
    if (failure_ || out_of_memory_) return;
    try {
      if (Result<> done = work(); !done) failure_ = std::move(done).error();
    } catch (const std::bad_alloc&) {
      out_of_memory_ = true;
    }
    if (failure_ || out_of_memory_) XML_StopParser(parser_, XML_FALSE);
  }

  static void on_start(void* self, const char* name, const char** attributes) noexcept {
    auto& reader = *static_cast<Reader*>(self);
    reader.guarded([&] { return reader.start(name, attributes); });
  }

  static void on_end(void* self, const char* name) noexcept {
    auto& reader = *static_cast<Reader*>(self);
    reader.guarded([&] { return reader.end(name); });
  }

  static void on_text(void* self, const char* text, int size) noexcept {
    auto& reader = *static_cast<Reader*>(self);
    reader.guarded([&] { return reader.add({text, static_cast<std::size_t>(size)}); });
  }

  static void on_doctype(void* self, const char*, const char*, const char*, int) noexcept {
    auto& reader = *static_cast<Reader*>(self);
    reader.guarded([&]() -> Result<> {
      return fail(Code::check_failed, "it has a document type, as no block map has");
    });
  }

  [[nodiscard]] Result<> start(std::string_view name, const char** attributes);
  [[nodiscard]] Result<> end(std::string_view name);
  [[nodiscard]] Result<> add(std::string_view text);
  [[nodiscard]] Result<> take_version(std::string_view version);
  [[nodiscard]] Result<> take_scalar(std::string_view name);
  [[nodiscard]] Result<> take_number(std::string_view name, std::optional<std::uint64_t>& into);
  [[nodiscard]] Result<> take_range();
  [[nodiscard]] Result<> check_complete() const;

  XML_Parser parser_;
  std::optional<Error> failure_;
  bool out_of_memory_ = false;
  unsigned depth_ = 0;
  bool in_block_map_ = false;
  bool has_sha1_ = false;  // version 1.3: SHA-1, and other names
  std::string text_;       // of the element that is open
  std::optional<std::uint64_t> image_bytes_;
  std::optional<std::uint64_t> block_bytes_;
  std::optional<std::uint64_t> blocks_;
  std::optional<std::uint64_t> mapped_blocks_;
  bool has_block_map_ = false;
  BmapFile bmap_;
};

Result<> Reader::take_version(std::string_view version) {
  const std::size_t dot = version.find('.');
  const auto major = number_of(version.substr(0, dot));
  const auto minor =
      dot == std::string_view::npos ? std::nullopt : number_of(version.substr(dot + 1));
  if (!major || !minor) return fail(Code::check_failed, "its version is missing");
  // 1.4 is what 2.0 was called first; before 1.3 a map had no checksum of its own.
  if (*major == 2 || (*major == 1 && *minor == 4)) return {};
  if (*major == 1 && *minor == 3) {
    has_sha1_ = true;
    bmap_.checksum_type = "sha1";
    return {};
  }
  return fail(
      Code::unsupported,
      fmt::format("it has version {}; versions 1.3 to 2.0 can be checked", quoted(version)));
}

Result<> Reader::start(std::string_view name, const char** attributes) {
  text_.clear();
  const auto attribute = [&](std::string_view key) -> std::string_view {
    for (const char** at = attributes; *at != nullptr; at += 2) {
      if (key == at[0]) return at[1];
    }
    return {};
  };
  switch (depth_++) {
    case 0:
      if (name != "bmap")
        return fail(Code::check_failed,
                    fmt::format("it begins with {}, not with 'bmap'", quoted(name)));
      return take_version(attribute("version"));
    case 1:
      in_block_map_ = name == "BlockMap";
      has_block_map_ = has_block_map_ || in_block_map_;
      return {};
    case 2:
      if (!in_block_map_ || name != "Range") return {};
      bmap_.ranges.push_back(
          {.checksum = to_lower_ascii(trimmed(attribute(has_sha1_ ? "sha1" : "chksum")))});
      return {};
    default:
      return {};
  }
}

Result<> Reader::add(std::string_view text) {
  if (text_.size() + text.size() <= kMostText) {
    text_ += text;
    return {};
  }
  // Blanks between elements are nobody's text.
  if (trimmed(text).empty() && trimmed(text_).empty()) return {};
  return fail(Code::check_failed, "an element of it is too long");
}

Result<> Reader::end(std::string_view name) {
  --depth_;
  if (depth_ == 2 && in_block_map_ && name == "Range") {
    IMPRINT_TRY(take_range());
  } else if (depth_ == 1) {
    IMPRINT_TRY(take_scalar(name));
  }
  text_.clear();
  return {};
}

Result<> Reader::take_number(std::string_view name, std::optional<std::uint64_t>& into) {
  into = number_of(trimmed(text_));
  if (into) return {};
  return fail(Code::check_failed,
              fmt::format("{} is {}, which is no number", quoted(name), quoted(trimmed(text_))));
}

Result<> Reader::take_scalar(std::string_view name) {
  if (name == "ImageSize") return take_number(name, image_bytes_);
  if (name == "BlockSize") return take_number(name, block_bytes_);
  if (name == "BlocksCount") return take_number(name, blocks_);
  if (name == "MappedBlocksCount") return take_number(name, mapped_blocks_);
  if (name == "ChecksumType" && !has_sha1_) bmap_.checksum_type = trimmed(text_);
  if (name == (has_sha1_ ? "BmapFileSHA1" : "BmapFileChecksum")) bmap_.checksum = trimmed(text_);
  return {};
}

Result<> Reader::take_range() {
  BmapFile::Range& range = bmap_.ranges.back();
  const std::string_view text = trimmed(text_);
  const std::size_t dash = text.find('-');
  const auto first = number_of(trimmed(text.substr(0, dash)));
  const auto last =
      dash == std::string_view::npos ? first : number_of(trimmed(text.substr(dash + 1)));
  if (!first || !last || *first > *last)
    return fail(Code::check_failed, fmt::format("{} is no range of blocks", quoted(text)));
  range.first = *first;
  range.last = *last;
  if (!range.checksum.empty()) return {};
  return fail(Code::check_failed,
              fmt::format("the range of blocks {} has no checksum", quoted(text)));
}

Result<> Reader::check_complete() const {
  const auto missing = [](const char* name) {
    return fail(Code::check_failed, fmt::format("it has no {}", quoted(name)));
  };
  if (!image_bytes_) return missing("ImageSize");
  if (!block_bytes_) return missing("BlockSize");
  if (!blocks_) return missing("BlocksCount");
  if (!mapped_blocks_) return missing("MappedBlocksCount");
  if (bmap_.checksum_type.empty()) return missing("ChecksumType");
  if (bmap_.checksum.empty()) return missing(has_sha1_ ? "BmapFileSHA1" : "BmapFileChecksum");
  if (!has_block_map_) return missing("BlockMap");
  return {};
}

Result<BmapFile> Reader::read(std::string_view text) {
  const auto status = XML_Parse(parser_, text.data(), static_cast<int>(text.size()), XML_TRUE);
  if (out_of_memory_) throw std::bad_alloc();
  if (failure_) return fail(std::move(*failure_));
  if (status != XML_STATUS_OK) {
    const XML_Error error = XML_GetErrorCode(parser_);
    if (error == XML_ERROR_NO_MEMORY) throw std::bad_alloc();
    return fail(Code::check_failed,
                fmt::format("it is no well-formed XML: line {}: {}",
                            XML_GetCurrentLineNumber(parser_), XML_ErrorString(error)));
  }
  IMPRINT_TRY(check_complete());
  bmap_.image_bytes = *image_bytes_;
  bmap_.block_bytes = *block_bytes_;
  bmap_.blocks = *blocks_;
  bmap_.mapped_blocks = *mapped_blocks_;
  return std::move(bmap_);
}

}  // namespace

Result<BmapFile> parse_bmap(std::string_view text) {
  const ParserPtr parser(XML_ParserCreate(nullptr));
  if (parser == nullptr) throw std::bad_alloc();
  return Reader(parser.get()).read(text);
}

}  // namespace imprint::image
