#include "key_copies.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <span>

#include <fmt/format.h>

#include "byte_ranges.hpp"
#include "file_places.hpp"
#include "imprint/base/text.hpp"
#include "imprint/crypto/key_traces.hpp"
#include "imprint/image/canvas.hpp"
#include "imprint/image/search.hpp"
#include "imprint/image/volume.hpp"
#include "imprint/image/whereabouts.hpp"

namespace imprint::verify {

namespace {

using image::Hit;

/// Traces of one copy lie this close together: what a PEM file of the largest key takes.
constexpr std::uint64_t kCopyBytes = 4096;
/// What follows the mark of a PEM key, unless it is part of a program.
constexpr std::size_t kPemStartBytes = 40;

bool is_base64(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
         c == '/';
}

/// Where the copies begin: hits that are close together are one.
std::vector<std::uint64_t> copies(std::span<const Hit> hits) {
  std::vector<std::uint64_t> begins;
  std::uint64_t last = 0;
  for (const Hit& hit : hits) {
    if (begins.empty() || hit.offset - last > kCopyBytes) begins.push_back(hit.offset);
    last = hit.offset;
  }
  return begins;
}

class Search {
 public:
  Search(OpenImage& image, const Identity& identity, const std::atomic<bool>& stop)
      : image_(image),
        identity_(identity),
        stop_(stop) {}

  /// A sentence for the passed check.
  Result<std::string> run() {
    const auto traces = IMPRINT_TRY(crypto::KeyTraces::of(*identity_.key));
    traces_ = traces.size();
    std::vector<ByteView> patterns;
    for (std::size_t i = 0; i < traces.size(); ++i)
      patterns.push_back(traces[i].bytes);
    for (const std::string_view mark : crypto::private_key_marks())
      patterns.push_back(bytes_of(mark));
    const auto set = IMPRINT_TRY(image::PatternSet::compile(patterns));
    IMPRINT_TRY(find_own_places());
    IMPRINT_TRY(find_free_blocks());
    IMPRINT_TRY(search_all(set));
    IMPRINT_TRY(judge_copies());
    IMPRINT_TRY(judge_strangers());
    std::string found = fmt::format("none in {} MiB of data", searched_ >> 20);
    for (const image::Partition& partition : unmapped_)
      found += fmt::format("; but for partition {}, which has the key and holds {}",
                           partition.number, partition.file_system);
    return found;
  }

 private:
  Result<> find_own_places() {
    for (const image::DeviceTree::Location& place : identity_.key_places) {
      const auto ranges = IMPRINT_TRY(ranges_of(image_.bytes, place));
      if (!ranges) {
        pass_over(place.file_system->partition());
        continue;
      }
      // What stands behind the end of the file in its last block is no part of it.
      own_.add(up_to(ranges->content, place.node->size_bytes));
      own_.add(ranges->inode);
    }
    own_.seal();
    return {};
  }

  /// A file system of which nobody here knows what lies where, and which may keep the file twice by
  /// itself (btrfs does).
  void pass_over(const image::Partition& partition) {
    if (std::ranges::find(unmapped_, partition.number, &image::Partition::number) !=
        unmapped_.end())
      return;
    unmapped_.push_back(partition);
    own_.add({partition.offset_bytes, partition.size_bytes});
  }

  /// Of every ext file system. A volume knows them when it could be edited, which happens to a
  /// canvas that is thrown away.
  Result<> find_free_blocks() {
    for (const image::Partition& partition : image_.layout.partitions) {
      if (!partition.file_system.starts_with("ext")) continue;
      image::Canvas canvas(image_.bytes);
      const auto volume = image::Volume::open_edit(canvas, partition, TimePoint());
      if (volume) free_.push_back(volume->original_free_map());
      // One that can only be read here has no free blocks to us.
    }
    return {};
  }

  Result<> search_all(const image::PatternSet& set) {
    std::atomic<std::uint64_t> read = 0;
    const image::SearchOptions options{
        .max_hits = 1000,
        .expected = [this](const Hit& hit) { return own_.contains(hit.offset) || is_mark(hit); },
        .stop = &stop_,
        .bytes_read = &read};
    const auto add = [this](const image::SearchResult& result) {
      hits_.insert(hits_.end(), result.hits.begin(), result.hits.end());
    };
    // What lies under a layer is not in the device's image; a key there would be found all the
    // same, which does no harm.
    add(IMPRINT_TRY(image::search(image_.file, set, options)));
    for (const OpenImage::Layer& layer : image_.layers)
      add(image::search(layer.bytes, set, options, layer.offset));
    std::ranges::sort(hits_);
    searched_ = read.load();
    return {};
  }

  /// Other people's keys are no copies, whose number is limited; the first that lies in a free
  /// block is remembered.
  bool is_mark(const Hit& hit) {
    if (hit.pattern < traces_) return false;
    if (!stranger_ && is_free(hit.offset) && begins_a_key(hit)) stranger_ = hit.offset;
    return true;
  }

  [[nodiscard]] bool is_free(std::uint64_t offset) const {
    return std::ranges::any_of(
        free_, [offset](const auto& map) { return image::was_free(*map, offset, 1); });
  }

  /// A mark with the first line of a key behind it.
  [[nodiscard]] bool begins_a_key(const Hit& hit) const {
    const std::size_t mark = crypto::private_key_marks()[hit.pattern - traces_].size();
    std::array<std::byte, kPemStartBytes + 2> next{};
    if (!image_.bytes.read(hit.offset + mark, next)) return false;
    std::string_view text = text_of(next);
    if (text.starts_with('\r')) text.remove_prefix(1);
    return text.starts_with('\n') && std::ranges::all_of(text.substr(1, kPemStartBytes), is_base64);
  }

  [[nodiscard]] Result<image::Whereabouts> at(std::uint64_t offset) const {
    return image::whereabouts(image_.bytes, image_.layout.partitions, offset);
  }

  Result<> judge_copies() {
    const std::vector<std::uint64_t> found = copies(hits_);
    if (found.empty()) return {};
    const auto where = IMPRINT_TRY(at(found.front()));
    return fail(
        Code::check_failed,
        fmt::format(
            "the private key is also in {}{}", where.text,
            found.size() > 1 ? fmt::format(" (and in {} more places)", found.size() - 1) : ""));
  }

  Result<> judge_strangers() {
    if (!stranger_) return {};
    const auto where = IMPRINT_TRY(at(*stranger_));
    return fail(Code::check_failed, "another private key is left in " + where.text);
  }

  OpenImage& image_;
  const Identity& identity_;
  const std::atomic<bool>& stop_;
  std::size_t traces_ = 0;  // patterns from here on are marks
  std::vector<image::Partition> unmapped_;
  ByteRanges own_;
  std::vector<Hit> hits_;
  std::vector<std::shared_ptr<const image::Volume::FreeMap>> free_;
  std::optional<std::uint64_t> stranger_;
  std::uint64_t searched_ = 0;
};

}  // namespace

void check_key_copies(OpenImage& image, const Identity& identity, Findings& findings,
                      const std::atomic<bool>& stop) {
  if (!identity.key) return findings.skipped(check::kKeyCopies, "there is no key to look for");
  const auto found = Search(image, identity, stop).run();
  if (found) {
    findings.passed(check::kKeyCopies, *found);
  } else {
    findings.failed(check::kKeyCopies, found.error().message());
  }
}

}  // namespace imprint::verify
