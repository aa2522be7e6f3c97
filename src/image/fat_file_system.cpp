#include "fat_file_system.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <limits>

#include <fmt/format.h>

#include "fat_names.hpp"
#include "imprint/base/text.hpp"
#include "little_endian.hpp"

namespace imprint::image {
namespace {

/// Of what mtools takes a pattern for, only the bracket can stand in a name on FAT.
[[nodiscard]] std::string without_patterns(std::string_view name) {
  std::string text;
  for (const char character : name)
    text += character == '[' ? std::string("[[]") : std::string(1, character);
  return text;
}

[[nodiscard]] bool is_plain_ascii(std::string_view name) {
  return std::ranges::all_of(name, [](char character) {
    const auto byte = static_cast<unsigned char>(character);
    return byte < 0x80 &&
           (std::isalnum(byte) != 0 || byte == '~' || byte == '_' || byte == '-' || byte == '.');
  });
}

/// How mtools finds a name that is there. The short one needs no thought, where it is ASCII.
[[nodiscard]] std::string argument_of(const FatEntry& entry) {
  return is_plain_ascii(entry.short_name) ? entry.short_name : without_patterns(entry.name);
}

[[nodiscard]] Unexpected unsupported(std::string_view what) {
  return fail(Code::unsupported, fmt::format("FAT has no {}", what));
}

[[nodiscard]] bool is_read_only(unsigned mode) noexcept {
  constexpr unsigned kAnybodyWrites = 0222;
  return (mode & kAnybodyWrites) == 0;
}

[[nodiscard]] std::string join(std::string_view directory, std::string_view name) {
  return std::string(directory) + (directory.ends_with('/') ? "" : "/") + std::string(name);
}

}  // namespace

Result<std::unique_ptr<FatFileSystem>> FatFileSystem::open_read(const ImageReader& image,
                                                                const Partition& partition) {
  auto reader = FatReader::open(image, partition);
  const std::string where = described_partition(partition, image.path());
  FatReader opened = IMPRINT_TRY(std::move(reader).context(where));
  return std::unique_ptr<FatFileSystem>(
      new FatFileSystem(image, nullptr, partition, std::move(opened)));
}

Result<std::unique_ptr<FatFileSystem>> FatFileSystem::open_edit(Canvas& canvas,
                                                                const Partition& partition,
                                                                std::optional<TimePoint> now) {
  auto reader = FatReader::open(canvas, partition);
  const std::string where = described_partition(partition, canvas.path());
  FatReader opened = IMPRINT_TRY(std::move(reader).context(where));
  if (opened.geometry().is_dirty) {
    return fail(
        Error(Code::corrupt, "it was not unmounted; check it with 'fsck.vfat -a'").context(where));
  }
  FatReader::Inventory inventory = IMPRINT_TRY(opened.check().context(where));
  std::unique_ptr<FatFileSystem> made(
      new FatFileSystem(canvas, &canvas, partition, std::move(opened)));
  made->now_ = within_fat_times(now.value_or(inventory.newest));
  made->directory_clusters_ = std::move(inventory.directory_clusters);
  made->is_tree_ = true;
  return made;
}

std::string FatFileSystem::described() const {
  return described_partition(partition_, image_.path());
}

Result<FatEntry> FatFileSystem::existing(std::string_view path) const {
  auto entry = IMPRINT_TRY(reader_.find(path));
  if (!entry) return fail(Code::not_found, fmt::format("{} does not exist", quoted(path)));
  return std::move(*entry);
}

Result<std::optional<NodeInfo>> FatFileSystem::find(std::string_view path) {
  if (names_of(path).empty()) {
    NodeInfo root;
    root.type = NodeType::directory;
    root.mode = 0755;
    root.links = 1;
    return std::optional<NodeInfo>(root);
  }
  const auto entry = IMPRINT_TRY(reader_.find(path).context(described()));
  if (!entry) return std::optional<NodeInfo>();
  return std::optional<NodeInfo>(entry->info());
}

Result<std::vector<std::string>> FatFileSystem::list(std::string_view path) {
  if (!is_tree_) IMPRINT_TRY(reader_.check_directories().context(described()));
  is_tree_ = true;
  const FatDirectory directory = IMPRINT_TRY(reader_.directory_at(path).context(described()));
  std::vector<std::string> names;
  for (const FatEntry& entry : directory.entries)
    names.push_back(entry.name);
  std::ranges::sort(names);
  return names;
}

Result<std::string> FatFileSystem::read_link(std::string_view path) {
  return Result<std::string>(
             fail(Code::invalid_input, fmt::format("{} is not a symbolic link", quoted(path))))
      .context(described());
}

Result<> FatFileSystem::read(std::string_view path, const ContentSink& sink) {
  const bool is_root = names_of(path).empty();
  FatEntry entry;
  entry.is_directory = true;
  if (!is_root) entry = IMPRINT_TRY(existing(path).context(described()));
  if (entry.is_directory) {
    return fail(Error(Code::invalid_input, fmt::format("{} is not a regular file", quoted(path)))
                    .context(described()));
  }
  return reader_.read_file(entry, sink).context(described());
}

Result<std::vector<ExtendedAttribute>> FatFileSystem::extended_attributes(
    std::string_view /*path*/) {
  return std::vector<ExtendedAttribute>();
}

Result<FatFileSystem::Place> FatFileSystem::place_of(std::string_view path) const {
  const std::vector<std::string_view> names = names_of(path);
  if (names.empty()) return fail(Code::exists, "'/' is the root directory");
  Place place;
  place.name = names.back();
  place.path = "/";
  for (std::size_t i = 0; i + 1 < names.size(); ++i)
    place.path = join(place.path, names[i]);
  place.directory = IMPRINT_TRY(reader_.directory_at(place.path));
  return place;
}

Result<std::string> FatFileSystem::argument_for(std::string_view path) const {
  std::string argument = "::";
  Cluster at = reader_.geometry().root_cluster;
  for (const std::string_view name : names_of(path)) {
    const FatDirectory directory = IMPRINT_TRY(reader_.directory(at));
    const FatEntry* entry = directory.find(name);
    if (entry == nullptr) {
      return fail(Code::not_found, fmt::format("{} does not exist", quoted(path)));
    }
    argument += "/" + argument_of(*entry);
    at = entry->first_cluster;
  }
  return argument;
}

Result<> FatFileSystem::check_room(const Place& place, std::uint64_t clusters,
                                   std::uint64_t given_back) const {
  const std::size_t entries = entries_for(place.name);
  const FatGeometry& geometry = reader_.geometry();
  if (place.directory.longest_free_run < entries) {
    if (place.directory.chain.empty()) {
      return fail(Code::image_full,
                  fmt::format("the root directory has {} entries and no room for {}",
                              geometry.root_entries, quoted(place.name)));
    }
    const std::uint64_t more = (entries - place.directory.free_at_end) * kFatEntryBytes;
    clusters += (more + geometry.cluster_bytes - 1) / geometry.cluster_bytes;
  }
  const std::uint64_t available = reader_.table().free_clusters(clusters) + given_back;
  if (clusters <= available) return {};
  return fail(Code::image_full,
              fmt::format("{} needs {} bytes and {} are free", quoted(place.name),
                          clusters * geometry.cluster_bytes, available * geometry.cluster_bytes));
}

Result<> FatFileSystem::start_editing() {
  if (canvas_ == nullptr) return fail(Code::unsupported, "it was opened for reading only");
  if (copy_) return {};
  FatWorkCopy copy =
      IMPRINT_TRY(FatWorkCopy::make(*canvas_, partition_, reader_, directory_clusters_));
  copy_ = std::make_unique<FatWorkCopy>(std::move(copy));
  return {};
}

Result<> FatFileSystem::run(std::string_view tool, const std::vector<std::string>& arguments,
                            std::string_view parent, TimePoint time, const Content* input) {
  failed_ = true;
  IMPRINT_TRY(copy_->run(tool, arguments, parent, time, input));
  failed_ = false;
  return {};
}

Result<> FatFileSystem::make(std::string_view path, const Content* content,
                             const Attributes& attributes) {
  Place place = IMPRINT_TRY(place_of(path));
  const FatEntry* old = place.directory.find(place.name);
  if (old != nullptr && (content == nullptr || old->is_directory)) {
    return fail(Code::exists, fmt::format("{} exists", quoted(path)));
  }
  if (old == nullptr) {
    IMPRINT_TRY(check_new_name(place.name));
  } else {
    place.name = old->name;
  }
  const std::uint64_t size = content != nullptr ? content->size_bytes() : 1;
  if (size > std::numeric_limits<std::uint32_t>::max()) {
    return fail(
        Code::invalid_input,
        fmt::format("{} has {} bytes; a file on FAT has less than 4 GiB", quoted(path), size));
  }
  std::uint64_t given_back = 0;
  if (old != nullptr) given_back = IMPRINT_TRY(reader_.chain_of(*old)).size();
  const std::uint64_t cluster = reader_.geometry().cluster_bytes;
  IMPRINT_TRY(check_room(place, (size + cluster - 1) / cluster, given_back));
  IMPRINT_TRY(start_editing());
  if (old != nullptr) IMPRINT_TRY(remove_entry(path, *old));

  const std::string target = join(IMPRINT_TRY(argument_for(place.path)), place.name);
  const TimePoint time = attributes.modified.value_or(now_);
  if (content != nullptr) {
    IMPRINT_TRY(run("mcopy", {"-", target}, place.path, time, content));
  } else {
    IMPRINT_TRY(run("mmd", {target}, place.path, time, nullptr));
  }
  // A tool that did something else than it was asked for is not believed.
  const FatDirectory now = IMPRINT_TRY(reader_.directory_at(place.path));
  const FatEntry* made = now.find(place.name);
  if (made == nullptr || made->name != place.name || made->is_directory != (content == nullptr) ||
      (content != nullptr && made->size_bytes != size)) {
    failed_ = true;
    return fail(Code::internal, fmt::format("mtools has not made {}", quoted(path)));
  }
  if (is_read_only(attributes.mode)) return change_entry(*made, {.mode = attributes.mode});
  return {};
}

Result<> FatFileSystem::make_directory(std::string_view path, const Attributes& attributes) {
  return make(path, nullptr, attributes).context(described());
}

Result<> FatFileSystem::write_file(std::string_view path, const Content& content,
                                   const Attributes& attributes) {
  return make(path, &content, attributes).context(described());
}

Result<> FatFileSystem::make_symlink(std::string_view /*path*/, std::string_view /*target*/,
                                     const Attributes& /*attributes*/) {
  return Result<>(unsupported("symbolic links")).context(described());
}

Result<> FatFileSystem::set_extended_attribute(std::string_view /*path*/,
                                               const std::string& /*name*/,
                                               std::optional<ByteView> /*value*/) {
  return Result<>(unsupported("extended attributes")).context(described());
}

Result<> FatFileSystem::remove_entry(std::string_view path, const FatEntry& entry) {
  const Place place = IMPRINT_TRY(place_of(path));
  // mtools would ask whether we are sure.
  if (entry.is_read_only) IMPRINT_TRY(change_entry(entry, {.mode = 0644}));
  const std::string directory = IMPRINT_TRY(argument_for(place.path));
  IMPRINT_TRY(run(entry.is_directory ? "mrd" : "mdel", {join(directory, argument_of(entry))},
                  place.path, now_, nullptr));
  const FatDirectory now = IMPRINT_TRY(reader_.directory_at(place.path));
  if (now.find(entry.name) == nullptr) return {};
  failed_ = true;
  return fail(Code::internal, fmt::format("mtools has not removed {}", quoted(path)));
}

Result<> FatFileSystem::remove(std::string_view path) {
  const auto work = [&]() -> Result<> {
    if (names_of(path).empty()) return fail(Code::invalid_input, "'/' cannot be removed");
    const FatEntry entry = IMPRINT_TRY(existing(path));
    if (entry.is_directory) {
      const FatDirectory directory = IMPRINT_TRY(reader_.directory(entry.first_cluster));
      if (!directory.entries.empty()) {
        return fail(Code::exists, fmt::format("the directory {} is not empty", quoted(path)));
      }
    }
    IMPRINT_TRY(start_editing());
    return remove_entry(path, entry);
  };
  return work().context(described());
}

Result<> FatFileSystem::change_entry(const FatEntry& entry, const AttributeChange& change) {
  failed_ = true;
  if (change.mode) {
    std::array<std::byte, 1> attributes{};
    IMPRINT_TRY(reader_.read_raw(entry.offset + kFatAttributeOffset, attributes));
    const auto before = std::to_integer<unsigned>(attributes.front());
    const unsigned after =
        is_read_only(*change.mode) ? before | kFatReadOnly : before & ~kFatReadOnly;
    attributes.front() = static_cast<std::byte>(after);
    IMPRINT_TRY(copy_->patch(entry.offset + kFatAttributeOffset, attributes));
  }
  if (change.modified) {
    Bytes time;
    append_little_endian(time, to_fat_time(*change.modified), 4);
    IMPRINT_TRY(copy_->patch(entry.offset + kFatTimeOffset, time));
  }
  failed_ = false;
  return {};
}

Result<> FatFileSystem::change_attributes(std::string_view path, const AttributeChange& change) {
  const auto work = [&]() -> Result<> {
    if (change.uid.value_or(0) != 0 || change.gid.value_or(0) != 0) {
      return unsupported("owners");
    }
    if (names_of(path).empty()) return {};  // has nothing that could be changed
    const FatEntry entry = IMPRINT_TRY(existing(path));
    IMPRINT_TRY(start_editing());
    return change_entry(entry, change);
  };
  return work().context(described());
}

Result<> FatFileSystem::commit() {
  if (canvas_ == nullptr || committed_) return {};
  if (failed_) {
    return fail(
        Error(Code::internal, "an edit has failed; nothing may be written").context(described()));
  }
  committed_ = true;
  copy_.reset();
  return {};
}

}  // namespace imprint::image
