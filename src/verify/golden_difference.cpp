#include "golden_difference.hpp"

#include <algorithm>
#include <cstring>
#include <set>

#include <fmt/format.h>

#include "byte_ranges.hpp"
#include "file_places.hpp"
#include "imprint/base/text.hpp"
#include "imprint/image/clone.hpp"
#include "imprint/image/whereabouts.hpp"

namespace imprint::verify {

namespace {

using image::DataRange;
using Location = image::DeviceTree::Location;

constexpr std::size_t kPieceBytes = std::size_t{1} << 20;
constexpr std::size_t kSectorBytes = 512;

/// Where either of them has data; elsewhere both are zeros.
Result<std::vector<DataRange>> data_of_both(const image::FileImage& one,
                                            const image::FileImage& other) {
  auto ranges = IMPRINT_TRY(image::data_ranges(one.file()));
  const auto more = IMPRINT_TRY(image::data_ranges(other.file()));
  ranges.insert(ranges.end(), more.begin(), more.end());
  return image::joined(std::move(ranges));
}

bool same_blocks(const std::vector<DataRange>& one, const std::vector<DataRange>& other) {
  return std::ranges::equal(one, other, [](const DataRange& a, const DataRange& b) {
    return a.offset == b.offset && a.length_bytes == b.length_bytes;
  });
}

class Comparison {
 public:
  Comparison(OpenImage& image, const image::FileImage& golden, const std::atomic<bool>& stop)
      : image_(image),
        golden_(golden),
        stop_(stop) {}

  Result<> allow(const std::vector<Location>& places) {
    for (const Location& place : places)
      IMPRINT_TRY(allow(place));
    return {};
  }

  Result<> allow_paths(const std::vector<std::string>& paths) {
    for (const std::string& path : paths) {
      for (image::FileSystems::Root& root : image_.roots) {
        const auto location = root.tree.resolve(path);
        if (location && location->node) IMPRINT_TRY(allow(*location));
      }
    }
    return {};
  }

  /// A sentence for the passed check.
  Result<std::string> run() {
    if (image_.file.size_bytes() != golden_.size_bytes()) {
      return fail(Code::check_failed,
                  fmt::format("it has {} bytes, {} has {}", image_.file.size_bytes(),
                              quoted(golden_.path().string()), golden_.size_bytes()));
    }
    own_.seal();
    counts_.seal();
    for (const DataRange& range : IMPRINT_TRY(data_of_both(image_.file, golden_)))
      IMPRINT_TRY(compare(range));
    if (foreign_ == 0)
      return fmt::format("{} bytes of its own files differ, nothing else", own_bytes_);
    const auto where =
        IMPRINT_TRY(image::whereabouts(image_.bytes, image_.layout.partitions, first_foreign_));
    return fail(Code::check_failed, fmt::format("{} bytes differ that should not, the first in {}",
                                                foreign_, where.text));
  }

 private:
  Result<> allow(const Location& place) {
    const auto now = IMPRINT_TRY(ranges_of(image_.bytes, place));
    if (!now) {
      return fail(Code::unsupported,
                  fmt::format("{} is on {}, of which nobody here knows what lies where", place.path,
                              place.file_system->partition().file_system));
    }
    own_.add(now->content);
    own_.add(now->inode);
    const auto before = ranges_of(golden_, place);
    if (!before || !*before)
      return fail(Code::check_failed,
                  fmt::format("{} has no {}: it is not the golden image of this one",
                              quoted(golden_.path().string()), place.path));
    own_.add((*before)->content);
    const image::Partition& partition = place.file_system->partition();
    if (same_blocks(now->content, (*before)->content)) return {};
    if (!counted_.insert(partition.number).second) return {};
    const auto map = IMPRINT_TRY(image::VolumeMap::open(image_.bytes, partition));
    counts_.add(IMPRINT_TRY(map.allocation_metadata()));
    return {};
  }

  Result<> compare(const DataRange& range) {
    const std::uint64_t end = range.offset + range.length_bytes;
    for (std::uint64_t at = range.offset; at < end; at += kPieceBytes) {
      if (stop_.load(std::memory_order_relaxed)) return fail(Code::cancelled, "interrupted");
      const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(kPieceBytes, end - at));
      mine_.resize(size);
      golden_bytes_.resize(size);
      IMPRINT_TRY(image_.file.read(at, mine_));
      IMPRINT_TRY(golden_.read(at, golden_bytes_));
      compare_piece(at);
    }
    return {};
  }

  void compare_piece(std::uint64_t at) {
    for (std::size_t begin = 0; begin < mine_.size(); begin += kSectorBytes) {
      const std::size_t size = std::min(kSectorBytes, mine_.size() - begin);
      if (std::memcmp(mine_.data() + begin, golden_bytes_.data() + begin, size) == 0) continue;
      for (std::size_t i = begin; i < begin + size; ++i) {
        if (mine_[i] != golden_bytes_[i]) judge(at + i);
      }
    }
  }

  void judge(std::uint64_t offset) {
    if (own_.contains(offset)) {
      ++own_bytes_;
    } else if (!counts_.contains(offset)) {
      if (foreign_++ == 0) first_foreign_ = offset;
    }
  }

  OpenImage& image_;
  const image::FileImage& golden_;
  const std::atomic<bool>& stop_;
  ByteRanges own_;
  ByteRanges counts_;  // change when its files take more or fewer blocks
  std::set<int> counted_;
  crypto::WipedBytes mine_;
  crypto::WipedBytes golden_bytes_;
  std::uint64_t own_bytes_ = 0;
  std::uint64_t foreign_ = 0;
  std::uint64_t first_foreign_ = 0;
};

Result<std::string> compare(OpenImage& image, const Identity& identity,
                            const std::vector<std::string>& device_files,
                            const image::FileImage& golden, const std::atomic<bool>& stop) {
  Comparison comparison(image, golden, stop);
  IMPRINT_TRY(comparison.allow(identity.certificate_places));
  IMPRINT_TRY(comparison.allow(identity.key_places));
  IMPRINT_TRY(comparison.allow_paths(device_files));
  return comparison.run();
}

}  // namespace

void check_golden(OpenImage& image, const Identity& identity,
                  const std::vector<std::string>& device_files, const image::FileImage& golden,
                  Findings& findings, const std::atomic<bool>& stop) {
  if (image.is_overlaid())
    return findings.skipped(check::kGolden, "a device of an overlay store is its difference");
  const auto compared = compare(image, identity, device_files, golden, stop);
  if (compared) {
    findings.passed(check::kGolden, *compared);
  } else {
    findings.failed(check::kGolden, compared.error().message());
  }
}

}  // namespace imprint::verify
