#include "fat_reader.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "imprint/crypto/secret.hpp"

namespace imprint::image {
namespace {

/// What Linux reads of one directory (65536 entries).
constexpr std::uint64_t kMaxDirectoryBytes = 65536 * kFatEntryBytes;
constexpr std::uint64_t kPieceBytes = 256U << 10;

/// Marks the clusters of one name; Code::corrupt when another has one of them.
Result<> claim(std::vector<bool>& claimed, const std::vector<Cluster>& chain,
               std::string_view name) {
  for (const Cluster cluster : chain) {
    if (claimed[cluster]) {
      return fail(Code::corrupt, fmt::format("cluster {} of {} belongs to another file too; repair "
                                             "it with 'fsck.vfat'",
                                             cluster, quoted(name)));
    }
    claimed[cluster] = true;
  }
  return {};
}

}  // namespace

std::vector<std::string_view> names_of(std::string_view path) {
  std::vector<std::string_view> names;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    if (end > 0) names.push_back(path.substr(0, end));
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return names;
}

Result<FatTable> FatReader::load(const ImageReader& image, std::uint64_t offset,
                                 const FatGeometry& geometry, std::uint32_t number) {
  Bytes bytes(static_cast<std::size_t>(geometry.fat_bytes()));
  IMPRINT_TRY(image.read(offset + geometry.fat_offset(number), bytes));
  return FatTable(geometry, std::move(bytes));
}

Result<FatReader> FatReader::open(const ImageReader& image, const Partition& partition) {
  std::array<std::byte, 512> boot{};
  if (partition.size_bytes < boot.size()) return fail(Code::corrupt, "it is too small for FAT");
  IMPRINT_TRY(image.read(partition.offset_bytes, boot));
  const FatGeometry geometry = IMPRINT_TRY(read_fat_geometry(boot, partition.size_bytes));
  FatTable table = IMPRINT_TRY(load(image, partition.offset_bytes, geometry, 0));
  return FatReader(image, partition, geometry, std::move(table));
}

Result<> FatReader::reload() {
  table_ = IMPRINT_TRY(load(*image_, offset_, geometry_, 0));
  return {};
}

Result<> FatReader::read_raw(std::uint64_t offset, MutableBytes into) const {
  return image_->read(offset_ + offset, into);
}

Result<FatDirectory> FatReader::directory(Cluster first_cluster) const {
  FatDirectory directory;
  directory.first_cluster = first_cluster;
  std::vector<FatPiece> pieces;
  if (first_cluster == 0) {
    const auto bytes = std::size_t{geometry_.root_entries} * kFatEntryBytes;
    pieces.push_back({geometry_.root_offset(), Bytes(bytes)});
  } else {
    const std::uint64_t limit =
        std::max<std::uint64_t>(1, kMaxDirectoryBytes / geometry_.cluster_bytes);
    directory.chain = IMPRINT_TRY(table_.chain(first_cluster, limit));
    for (const Cluster cluster : directory.chain)
      pieces.push_back({geometry_.cluster_offset(cluster), Bytes(geometry_.cluster_bytes)});
  }
  for (FatPiece& piece : pieces) {
    IMPRINT_TRY(read_raw(piece.offset, piece.bytes));
  }
  IMPRINT_TRY(parse_directory(pieces, directory));
  for (FatEntry& entry : directory.entries) {
    // Others have something else there.
    if (geometry_.type != FatType::fat32) entry.first_cluster &= 0xFFFFU;
    if (entry.is_directory && entry.first_cluster == 0) {
      return fail(Code::corrupt, fmt::format("the directory {} has no cluster; repair it with "
                                             "'fsck.vfat'",
                                             quoted(entry.name)));
    }
  }
  return directory;
}

Result<std::optional<FatEntry>> FatReader::find(std::string_view path) const {
  std::optional<FatEntry> at;
  for (const std::string_view name : names_of(path)) {
    if (at && !at->is_directory) return std::optional<FatEntry>();
    const Cluster cluster = at ? at->first_cluster : geometry_.root_cluster;
    const FatDirectory in = IMPRINT_TRY(directory(cluster));
    const FatEntry* found = in.find(name);
    if (found == nullptr) return std::optional<FatEntry>();
    at = *found;
  }
  return at;
}

Result<FatDirectory> FatReader::directory_at(std::string_view path) const {
  if (names_of(path).empty()) return root();
  const auto entry = IMPRINT_TRY(find(path));
  if (!entry) return fail(Code::not_found, fmt::format("{} does not exist", quoted(path)));
  if (!entry->is_directory) {
    return fail(Code::invalid_input, fmt::format("{} is not a directory", quoted(path)));
  }
  return directory(entry->first_cluster);
}

Result<std::vector<Cluster>> FatReader::chain_of(const FatEntry& file) const {
  if (file.first_cluster == 0) {
    if (file.size_bytes == 0) return std::vector<Cluster>();
  }
  auto chain =
      IMPRINT_TRY(table_.chain(file.first_cluster, geometry_.clusters).context(quoted(file.name)));
  if (std::uint64_t{file.size_bytes} > chain.size() * geometry_.cluster_bytes) {
    return fail(Code::corrupt, fmt::format("{} has {} bytes, but clusters for {} only; repair it "
                                           "with 'fsck.vfat'",
                                           quoted(file.name), file.size_bytes,
                                           chain.size() * geometry_.cluster_bytes));
  }
  return chain;
}

Result<> FatReader::read_file(const FatEntry& file, const ContentSink& sink) const {
  const std::vector<Cluster> chain = IMPRINT_TRY(chain_of(file));
  crypto::WipedBytes buffer;
  std::uint64_t done = 0;
  for (std::size_t i = 0; done < file.size_bytes;) {
    // Clusters that follow one another come in one read.
    std::size_t count = 1;
    while (i + count < chain.size() && chain[i + count] == chain[i] + count &&
           (count + 1) * geometry_.cluster_bytes <= kPieceBytes) {
      ++count;
    }
    buffer.resize(static_cast<std::size_t>(
        std::min<std::uint64_t>(count * geometry_.cluster_bytes, file.size_bytes - done)));
    IMPRINT_TRY(read_raw(geometry_.cluster_offset(chain[i]), buffer));
    IMPRINT_TRY(sink(done, buffer));
    done += buffer.size();
    i += count;
  }
  return {};
}

Result<FatReader::Inventory> FatReader::check() const {
  for (std::uint32_t number = 1; number < geometry_.fats; ++number) {
    const FatTable other = IMPRINT_TRY(load(*image_, offset_, geometry_, number));
    if (other.bytes() != table_.bytes()) {
      return fail(Code::corrupt, "its FATs differ; repair it with 'fsck.vfat'");
    }
  }
  Inventory found;
  std::vector<bool> claimed(std::size_t{geometry_.clusters} + kFirstCluster);
  std::vector<std::pair<Cluster, std::string>> waiting{{geometry_.root_cluster, "/"}};
  while (!waiting.empty()) {
    const auto [cluster, name] = waiting.back();
    waiting.pop_back();
    const FatDirectory in = IMPRINT_TRY(directory(cluster).context(quoted(name)));
    IMPRINT_TRY(claim(claimed, in.chain, name));
    found.directory_clusters.insert(found.directory_clusters.end(), in.chain.begin(),
                                    in.chain.end());
    found.newest = std::max(found.newest, in.newest);
    for (const FatEntry& entry : in.entries) {
      if (entry.is_directory) {
        waiting.emplace_back(entry.first_cluster, entry.name);
        continue;
      }
      const std::vector<Cluster> chain = IMPRINT_TRY(chain_of(entry));
      IMPRINT_TRY(claim(claimed, chain, entry.name));
    }
  }
  return found;
}

Result<> FatReader::check_directories() const {
  std::vector<bool> claimed(std::size_t{geometry_.clusters} + kFirstCluster);
  std::vector<std::pair<Cluster, std::string>> waiting{{geometry_.root_cluster, "/"}};
  while (!waiting.empty()) {
    const auto [cluster, name] = waiting.back();
    waiting.pop_back();
    const FatDirectory in = IMPRINT_TRY(directory(cluster).context(quoted(name)));
    IMPRINT_TRY(claim(claimed, in.chain, name));
    for (const FatEntry& entry : in.entries) {
      if (entry.is_directory) waiting.emplace_back(entry.first_cluster, entry.name);
    }
  }
  return {};
}

}  // namespace imprint::image
