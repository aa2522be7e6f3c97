#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "imprint/base/bytes.hpp"

/// As much DER as certificates need: definite lengths, single-byte tags.
namespace imprint::crypto::der {

inline constexpr std::uint8_t kInteger = 0x02;
inline constexpr std::uint8_t kBitString = 0x03;
inline constexpr std::uint8_t kOctetString = 0x04;
inline constexpr std::uint8_t kObjectIdentifier = 0x06;
inline constexpr std::uint8_t kEnumerated = 0x0a;
inline constexpr std::uint8_t kUtcTime = 0x17;
inline constexpr std::uint8_t kGeneralizedTime = 0x18;
inline constexpr std::uint8_t kSequence = 0x30;

/// Tag and length octets never take more: contents are under 4 GiB (a CRL of millions is large).
inline constexpr std::size_t kMaxHeaderBytes = 6;

struct Element {
  std::uint8_t tag = 0;
  ByteView whole;  ///< tag, length and content
  ByteView content;
};

/// The element at the start of `bytes`; none when that is no DER.
[[nodiscard]] std::optional<Element> read(ByteView bytes) noexcept;

/// All elements of a content; none when it is not exactly a row of elements.
[[nodiscard]] std::optional<std::vector<Element>> read_all(ByteView content);

[[nodiscard]] std::size_t header_size(std::size_t content_bytes) noexcept;

/// Size of an element with this content.
[[nodiscard]] inline std::size_t element_size(std::size_t content_bytes) noexcept {
  return header_size(content_bytes) + content_bytes;
}

/// Writes tag and length; returns the place of the content.
std::byte* write_header(std::byte* at, std::uint8_t tag, std::size_t content_bytes) noexcept;

/// Copies; returns the end.
std::byte* write_bytes(std::byte* at, ByteView bytes) noexcept;

/// DER with holes: constant bytes, slots, and constructed elements whose lengths follow from what
/// fills the slots.
///
/// Kept as one flat list in writing order, in which every item knows its parent. Measuring runs
/// backwards and adds each item's size to its parent; writing runs forwards. Neither allocates.
class Template {
 public:
  /// The content of a slot is a content to be wrapped in `tag`, or (tag 0) a whole element as it
  /// is.
  static constexpr std::uint8_t kWholeElement = 0;

  void constant(ByteView bytes);
  void slot(std::uint8_t tag, std::size_t slot);
  void open(std::uint8_t tag);
  void close();

  [[nodiscard]] std::size_t item_count() const noexcept { return items_.size(); }

  /// Size of the result. `lengths` (item_count entries) receives what write() needs.
  [[nodiscard]] std::size_t measure(std::span<const ByteView> slots,
                                    std::span<std::size_t> lengths) const noexcept;
  /// Writes the result, of the size just measured with the same slots; returns its end.
  std::byte* write(std::span<const ByteView> slots, std::span<const std::size_t> lengths,
                   std::byte* at) const noexcept;

 private:
  enum class Kind : std::uint8_t { constant, slot, constructed };

  struct Item {
    Kind kind;
    std::uint8_t tag;
    std::size_t parent;  // index + 1; 0: the result itself
    std::size_t begin;   // constant: range of constants_; slot: its number
    std::size_t size;
  };

  Bytes constants_;
  std::vector<Item> items_;
  std::vector<std::size_t> open_;
};

}  // namespace imprint::crypto::der
