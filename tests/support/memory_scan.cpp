#include "support/memory_scan.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <sstream>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace imprint::test {

namespace {

constexpr std::size_t kRegionBytes = std::size_t{32} << 20;
constexpr std::size_t kChunkBytes = std::size_t{1} << 20;
constexpr std::size_t kPageBytes = 4096;
constexpr std::size_t kPieceBytes = 16;
constexpr std::size_t kLineBytes = 48;  // octets in a line of PEM

std::uint32_t prefix_of(const std::byte* at) noexcept {
  std::uint32_t prefix = 0;
  std::memcpy(&prefix, at, sizeof prefix);
  return prefix;
}

std::uint32_t bucket_of(std::uint32_t prefix) noexcept {
  return (prefix * 2654435761U) >> 8;  // 24 bits
}

/// Header of a DER element: where its content begins and ends.
struct Element {
  std::size_t begin;
  std::size_t end;
};

Element element_at(std::span<const std::byte> der, std::size_t at) {
  auto size = std::to_integer<std::size_t>(der[at + 1]);
  std::size_t begin = at + 2;
  if (size >= 0x80) {
    const std::size_t octets = size & 0x7f;
    size = 0;
    for (std::size_t i = 0; i < octets; ++i)
      size = size << 8 | std::to_integer<std::size_t>(der[begin + i]);
    begin += octets;
  }
  return {begin, begin + size};
}

/// Reads this process's memory by the kernel, which says so when a page is not to be read.
bool read_memory(std::uintptr_t from, std::span<std::byte> into) {
  const iovec local{into.data(), into.size()};
  // NOLINTNEXTLINE(performance-no-int-to-ptr): an address of /proc/self/maps
  const iovec remote{reinterpret_cast<void*>(from), into.size()};
  return ::process_vm_readv(::getpid(), &local, 1, &remote, 1, 0) ==
         static_cast<ssize_t>(into.size());
}

}  // namespace

MemoryScan::MemoryScan()
    : region_(static_cast<std::byte*>(::mmap(nullptr, kRegionBytes, PROT_READ | PROT_WRITE,
                                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))),
      prefixes_(std::size_t{1} << 24) {
  EXPECT_NE(static_cast<void*>(region_), MAP_FAILED);
}

MemoryScan::~MemoryScan() {
  ::munmap(region_, kRegionBytes);
}

std::span<std::byte> MemoryScan::take(std::size_t size) {
  const std::span<std::byte> taken(region_ + used_, size);
  used_ += size;
  EXPECT_LE(used_, kRegionBytes - 2 * kChunkBytes);
  return taken;
}

std::span<const std::byte> MemoryScan::read(const std::filesystem::path& file) {
  const std::span<std::byte> room = take(std::size_t{64} << 10);
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  const ssize_t got = fd < 0 ? -1 : ::read(fd, room.data(), room.size());
  if (fd >= 0) ::close(fd);
  EXPECT_GT(got, 0) << file;
  return room.first(got > 0 ? static_cast<std::size_t>(got) : 0);
}

void MemoryScan::add(std::string label, std::span<const std::byte> bytes) {
  ASSERT_GE(bytes.size(), kPieceBytes) << label;
  by_prefix_.emplace(prefix_of(bytes.data()), needles_.size());
  prefixes_[bucket_of(prefix_of(bytes.data()))] = true;
  needles_.push_back({std::move(label), bytes});
}

void MemoryScan::look_for_text(const std::string& label, std::span<const std::byte> secret) {
  add(label + ", its begin", secret.first(std::min(kPieceBytes, secret.size())));
  add(label + ", its end", secret.last(std::min(kPieceBytes, secret.size())));
}

void MemoryScan::look_for_number(const std::string& label, std::span<const std::byte> secret) {
  look_for_text(label, secret);
  const std::span<std::byte> backwards = take(secret.size());
  std::reverse_copy(secret.begin(), secret.end(), backwards.begin());
  look_for_text(label + " backwards", backwards);
}

void MemoryScan::look_for_pem_lines(const std::string& label, std::span<const std::byte> der,
                                    std::size_t begin, std::size_t end) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t line = begin / kLineBytes; line * kLineBytes < end; ++line) {
    // What stands around the secret in its first and last line is public, and stands in the
    // certificate too.
    const std::size_t first = std::max(line * kLineBytes, (begin + 2) / 3 * 3);
    const std::size_t last = std::min((line + 1) * kLineBytes, end);
    const std::size_t triples = first < last ? (last - first) / 3 : 0;
    const auto octets = der.subspan(first);
    const std::span<std::byte> text = take(triples * 4);
    for (std::size_t i = 0; i < triples; ++i) {
      const unsigned bits = std::to_integer<unsigned>(octets[3 * i]) << 16 |
                            std::to_integer<unsigned>(octets[3 * i + 1]) << 8 |
                            std::to_integer<unsigned>(octets[3 * i + 2]);
      for (unsigned c = 0; c < 4; ++c)
        text[4 * i + c] = static_cast<std::byte>(kAlphabet[bits >> (18 - 6 * c) & 63]);
    }
    if (text.size() >= kPieceBytes)
      add(label + ", PEM line " + std::to_string(line + 1), text.first(kPieceBytes));
  }
}

void MemoryScan::look_for_key(const std::string& label, const std::filesystem::path& pkcs8) {
  const auto der = read(pkcs8);
  // SEQUENCE { version, algorithm, OCTET STRING { key } }
  const Element version = element_at(der, element_at(der, 0).begin);
  const Element algorithm = element_at(der, version.end);
  const Element key = element_at(der, element_at(der, algorithm.end).begin);
  const Element key_version = element_at(der, key.begin);
  if (der[key_version.end] == std::byte{0x04}) {
    const Element scalar = element_at(der, key_version.end);
    look_for_number(label + ", scalar", der.subspan(scalar.begin, scalar.end - scalar.begin));
    look_for_pem_lines(label, der, scalar.begin, scalar.end);
    return;
  }
  const Element modulus = element_at(der, key_version.end);
  const Element exponent = element_at(der, modulus.end);
  std::size_t at = exponent.end;
  for (const char* name : {"d", "p", "q", "dp", "dq", "qinv"}) {
    Element number = element_at(der, at);
    at = number.end;
    if (der[number.begin] == std::byte{0}) ++number.begin;
    look_for_number(label + ", " + name, der.subspan(number.begin, number.end - number.begin));
  }
  look_for_pem_lines(label, der, exponent.end, at);
}

void MemoryScan::search(std::span<const std::byte> memory, const std::string& where,
                        std::vector<std::string>& found) {
  for (std::size_t i = 0; i + kPieceBytes <= memory.size(); ++i) {
    const std::uint32_t prefix = prefix_of(memory.data() + i);
    if (!prefixes_[bucket_of(prefix)]) continue;
    const auto [first, last] = by_prefix_.equal_range(prefix);
    for (auto candidate = first; candidate != last; ++candidate) {
      Needle& needle = needles_[candidate->second];
      if (needle.found || needle.bytes.size() > memory.size() - i) continue;
      if (std::memcmp(needle.bytes.data(), memory.data() + i, needle.bytes.size()) != 0) continue;
      needle.found = true;
      found.push_back(needle.label + ": in " + where);
    }
  }
}

std::vector<std::string> MemoryScan::find() {
  std::vector<std::string> found;
  for (Needle& needle : needles_)
    needle.found = false;
  // Into the region too: the search must not find its own copies.
  const std::span<std::byte> buffer(region_ + kRegionBytes - 2 * kChunkBytes,
                                    kChunkBytes + kPieceBytes);
  const auto own = reinterpret_cast<std::uintptr_t>(region_);
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::istringstream parts(line);
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    char dash = 0;
    std::string mode;
    std::string skipped;
    std::string name;
    parts >> std::hex >> begin >> dash >> end >> mode >> skipped >> skipped >> skipped >> name;
    if (mode.front() != 'r') continue;
    for (std::uintptr_t at = begin; at < end;) {
      // The kernel joins neighbouring mappings: the region is left out by its address.
      if (at >= own && at < own + kRegionBytes) {
        at = own + kRegionBytes;
        continue;
      }
      const std::uintptr_t limit = at < own ? std::min(end, own) : end;
      std::size_t size = std::min<std::size_t>(buffer.size(), limit - at);
      if (!read_memory(at, buffer.first(size))) {
        size = std::min<std::size_t>(kPageBytes, limit - at);
        if (!read_memory(at, buffer.first(size))) {
          at += size;
          continue;
        }
      }
      search(buffer.first(size), name.empty() ? "an unnamed mapping" : name, found);
      at += size > 2 * kPieceBytes ? size - (size < limit - at ? kPieceBytes - 1 : 0) : size;
    }
  }
  return found;
}

}  // namespace imprint::test
