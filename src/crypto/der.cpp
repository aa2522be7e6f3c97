#include "der.hpp"

#include <algorithm>
#include <cstring>

namespace imprint::crypto::der {

std::optional<Element> read(ByteView bytes) noexcept {
  if (bytes.size() < 2) return std::nullopt;
  const auto tag = std::to_integer<std::uint8_t>(bytes[0]);
  const auto first = std::to_integer<std::size_t>(bytes[1]);
  std::size_t header = 2;
  std::size_t length = first;
  if (first >= 0x80) {
    const std::size_t octets = first & 0x7f;
    if (octets == 0 || octets > kMaxHeaderBytes - 2 || bytes.size() < 2 + octets)
      return std::nullopt;
    length = 0;
    for (std::size_t i = 0; i < octets; ++i) {
      length = length << 8 | std::to_integer<std::size_t>(bytes[2 + i]);
    }
    header += octets;
  }
  // One encoding per value: a longer form than needed is not DER.
  if (header_size(length) != header || bytes.size() - header < length) return std::nullopt;
  return Element{tag, bytes.first(header + length), bytes.subspan(header, length)};
}

std::optional<std::vector<Element>> read_all(ByteView content) {
  std::vector<Element> elements;
  while (!content.empty()) {
    const auto element = read(content);
    if (!element) return std::nullopt;
    elements.push_back(*element);
    content = content.subspan(element->whole.size());
  }
  return elements;
}

std::size_t header_size(std::size_t content_bytes) noexcept {
  if (content_bytes < 0x80) return 2;
  if (content_bytes < 0x100) return 3;
  if (content_bytes < 0x10000) return 4;
  return content_bytes < 0x1000000 ? 5 : 6;
}

std::byte* write_header(std::byte* at, std::uint8_t tag, std::size_t content_bytes) noexcept {
  *at++ = std::byte{tag};
  const std::size_t octets = header_size(content_bytes) - 2;
  if (octets != 0) *at++ = static_cast<std::byte>(0x80 | octets);
  for (std::size_t i = std::max<std::size_t>(octets, 1); i-- > 0;) {
    *at++ = static_cast<std::byte>(content_bytes >> (8 * i));
  }
  return at;
}

std::byte* write_bytes(std::byte* at, ByteView bytes) noexcept {
  if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
  return at + bytes.size();
}

void Template::constant(ByteView bytes) {
  const std::size_t parent = open_.empty() ? 0 : open_.back();
  if (!items_.empty() && items_.back().kind == Kind::constant && items_.back().parent == parent) {
    items_.back().size += bytes.size();
  } else {
    items_.push_back({Kind::constant, 0, parent, constants_.size(), bytes.size()});
  }
  constants_.insert(constants_.end(), bytes.begin(), bytes.end());
}

void Template::slot(std::uint8_t tag, std::size_t slot) {
  items_.push_back({Kind::slot, tag, open_.empty() ? 0 : open_.back(), slot, 0});
}

void Template::open(std::uint8_t tag) {
  items_.push_back({Kind::constructed, tag, open_.empty() ? 0 : open_.back(), 0, 0});
  open_.push_back(items_.size());
}

void Template::close() {
  open_.pop_back();
}

std::size_t Template::measure(std::span<const ByteView> slots,
                              std::span<std::size_t> lengths) const noexcept {
  // lengths[i] is the content length of item i; children come after their parent, so backwards
  // every content is complete when its own item is reached.
  std::ranges::fill(lengths, std::size_t{0});
  std::size_t total = 0;
  for (std::size_t i = items_.size(); i-- > 0;) {
    const Item& item = items_[i];
    std::size_t size = item.size;
    if (item.kind != Kind::constant) {
      if (item.kind == Kind::slot) lengths[i] = slots[item.begin].size();
      size = lengths[i];
      if (item.tag != kWholeElement) size += header_size(lengths[i]);
    }
    (item.parent == 0 ? total : lengths[item.parent - 1]) += size;
  }
  return total;
}

std::byte* Template::write(std::span<const ByteView> slots, std::span<const std::size_t> lengths,
                           std::byte* at) const noexcept {
  for (std::size_t i = 0; i < items_.size(); ++i) {
    const Item& item = items_[i];
    switch (item.kind) {
      case Kind::constant:
        at = write_bytes(at, ByteView(constants_).subspan(item.begin, item.size));
        break;
      case Kind::slot:
        if (item.tag != kWholeElement) at = write_header(at, item.tag, lengths[i]);
        at = write_bytes(at, slots[item.begin]);
        break;
      case Kind::constructed:
        at = write_header(at, item.tag, lengths[i]);
        break;
    }
  }
  return at;
}

}  // namespace imprint::crypto::der
