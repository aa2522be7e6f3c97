// Directories: what is in their blocks, that there is a way from the root to every inode, and that
// every inode knows how many names it has.

#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "ext2_check.hpp"
#include "imprint/base/text.hpp"

namespace imprint::image {
namespace {

constexpr std::size_t kReadBytes = std::size_t{256} << 10;  // at once
constexpr std::size_t kHeaderBytes = 8;                     // of an entry, before its name
constexpr std::size_t kTailBytes = sizeof(ext2_dir_entry_tail);
constexpr std::size_t kShortestEncryptedName = 16;

/// An entry as it lies in a block.
struct Entry {
  InodeNumber inode = 0;
  std::size_t length = 0;
  unsigned type = 0;
  std::string_view name;
};

class DirectoryCheck {
 public:
  explicit DirectoryCheck(CheckState& state)
      : state_(state),
        has_types_(ext2fs_has_feature_filetype(&state.super) != 0) {}

  [[nodiscard]] Result<> check(DirectorySeen& directory);

 private:
  [[nodiscard]] Unexpected bad(std::string_view what) const {
    return state_.corrupt(fmt::format("the directory in inode {} {}", directory_->number, what));
  }

  [[nodiscard]] Result<> check_inline();
  [[nodiscard]] Result<> check_blocks();
  [[nodiscard]] Result<> check_run(const BlockRun& run, IndexCheck* index);
  [[nodiscard]] Result<> check_block(std::uint64_t number, ByteView block, IndexCheck* index);
  [[nodiscard]] Result<> check_tail(std::uint64_t number, ByteView block) const;
  [[nodiscard]] Result<> check_entries(ByteView entries, IndexCheck* index);
  [[nodiscard]] Result<Entry> entry_at(ByteView entries, std::size_t at) const;
  [[nodiscard]] Result<> check_dot(const Entry& entry, ByteView bytes);
  [[nodiscard]] Result<> check_entry(const Entry& entry);
  [[nodiscard]] Result<> check_target(const Entry& entry);
  [[nodiscard]] Result<> note_child(const Entry& entry, const InodeSeen& seen);
  [[nodiscard]] Result<> check_names_differ();

  CheckState& state_;
  bool has_types_;
  DirectorySeen* directory_ = nullptr;
  unsigned dots_ = 0;               // entries '.' and '..' seen so far
  std::vector<std::size_t> names_;  // their hashes
  Bytes buffer_;
};

Result<> DirectoryCheck::check(DirectorySeen& directory) {
  directory_ = &directory;
  dots_ = 0;
  names_.clear();
  if (directory.is_inline) {
    IMPRINT_TRY(check_inline());
  } else {
    IMPRINT_TRY(check_blocks());
  }
  if (dots_ < 2) return bad("has no '.' and '..'");
  return check_names_differ();
}

Result<> DirectoryCheck::check_inline() {
  constexpr std::size_t kInInode = EXT4_MIN_INLINE_DATA_SIZE;
  const ByteView all =
      ByteView(state_.inline_data).subspan(directory_->inline_at, directory_->inline_size);
  if (all.size() % 4 != 0 || (all.size() > kInInode && all.size() < kInInode + 12))
    return bad("has entries of an impossible size in its inode");
  // '.' is not written, of '..' only the inode.
  std::uint32_t parent = 0;
  std::memcpy(&parent, all.data(), sizeof(parent));
  IMPRINT_TRY(check_target(
      {.inode = directory_->number, .type = has_types_ ? EXT2_FT_DIR : 0U, .name = "."}));
  IMPRINT_TRY(check_target({.inode = parent, .type = has_types_ ? EXT2_FT_DIR : 0U, .name = ".."}));
  directory_->dot_dot = parent;
  dots_ = 2;
  IMPRINT_TRY(check_entries(all.subspan(sizeof(parent), kInInode - sizeof(parent)), nullptr));
  return check_entries(all.subspan(kInInode), nullptr);
}

Result<> DirectoryCheck::check_blocks() {
  std::uint64_t mapped = 0;
  for (std::size_t i = directory_->first_run; i < directory_->end_run; ++i)
    mapped += state_.runs[i].blocks;
  const bool has_holes = mapped != directory_->blocks;
  const bool may_have_holes =
      ext2fs_has_feature_largedir(&state_.super) != 0 && !directory_->indexed;
  if (has_holes && !may_have_holes) return bad("has a hole");
  std::optional<IndexCheck> index;
  if (directory_->indexed) index.emplace(state_, *directory_);
  for (std::size_t i = directory_->first_run; i < directory_->end_run; ++i)
    IMPRINT_TRY(check_run(state_.runs[i], index ? &*index : nullptr));
  if (index) return index->finish();
  return {};
}

Result<> DirectoryCheck::check_run(const BlockRun& run, IndexCheck* index) {
  const std::uint64_t at_once = std::max<std::uint64_t>(1, kReadBytes / state_.block_bytes);
  for (std::uint64_t done = 0; done < run.blocks;) {
    const std::uint64_t blocks = std::min<std::uint64_t>(at_once, run.blocks - done);
    buffer_.resize(static_cast<std::size_t>(blocks * state_.block_bytes));
    IMPRINT_TRY(state_.read(run.physical + done, buffer_));
    for (std::uint64_t i = 0; i < blocks; ++i) {
      IMPRINT_TRY(
          check_block(run.logical + done + i,
                      ByteView(buffer_).subspan(static_cast<std::size_t>(i * state_.block_bytes),
                                                state_.block_bytes),
                      index));
    }
    done += blocks;
  }
  return {};
}

Result<> DirectoryCheck::check_block(std::uint64_t number, ByteView block, IndexCheck* index) {
  if (index != nullptr) IMPRINT_TRY(index->add_block(number, block));
  if (number == 0) {
    if (dots_ != 0) return bad("begins twice");
  } else if (dots_ < 2) {
    return bad("has no '.' and '..' in its first block");
  }
  if (index != nullptr && !index->is_leaf()) return check_entries(block, nullptr);
  if (!state_.has_checksums) return check_entries(block, index);
  IMPRINT_TRY(check_tail(number, block));
  return check_entries(block.first(block.size() - kTailBytes), index);
}

Result<> DirectoryCheck::check_tail(std::uint64_t number, ByteView block) const {
  ext2_dir_entry_tail tail{};
  std::memcpy(&tail, block.data() + block.size() - kTailBytes, kTailBytes);
  if (tail.det_reserved_zero1 != 0 || tail.det_rec_len != kTailBytes ||
      tail.det_reserved_name_len != EXT2_DIR_NAME_LEN_CSUM ||
      tail.det_checksum !=
          crc32c(directory_->checksum_seed, block.first(block.size() - kTailBytes))) {
    return state_.corrupt(
        fmt::format("block {} of the directory in inode {} does not match its checksum", number,
                    directory_->number));
  }
  return {};
}

Result<Entry> DirectoryCheck::entry_at(ByteView entries, std::size_t at) const {
  const bool has_hash = directory_->encrypted && directory_->casefolded && dots_ == 2;
  const std::size_t rest = entries.size() - at;
  Entry entry;
  if (rest >= kHeaderBytes) {
    std::uint16_t length = 0;
    std::memcpy(&entry.inode, entries.data() + at, sizeof(entry.inode));
    std::memcpy(&length, entries.data() + at + 4, sizeof(length));
    entry.length = length;
    // Lengths up to 64 KiB in 16 bits: they are multiples of 4.
    if (state_.block_bytes >= 65536) {
      entry.length = length == 0 || length == 65535
                         ? state_.block_bytes
                         : (length & 65532U) | (static_cast<std::size_t>(length & 3U) << 16);
    }
    const auto name_size = std::to_integer<std::size_t>(entries[at + 6]);
    entry.type = std::to_integer<unsigned>(entries[at + 7]);
    const std::size_t least =
        std::max<std::size_t>(ext2fs_dir_rec_len(static_cast<__u8>(name_size), has_hash ? 1 : 0),
                              ext2fs_dir_rec_len(1, has_hash ? 1 : 0));
    if (entry.length <= rest && entry.length % 4 == 0 && entry.length >= least) {
      entry.name = text_of(entries.subspan(at + kHeaderBytes, name_size));
      return entry;
    }
  }
  return bad(fmt::format("has an entry that does not fit, {} bytes into a block", at));
}

Result<> DirectoryCheck::check_entries(ByteView entries, IndexCheck* index) {
  for (std::size_t at = 0; at < entries.size();) {
    const Entry entry = IMPRINT_TRY(entry_at(entries, at));
    if (dots_ < 2) {
      IMPRINT_TRY(check_dot(entry, entries.subspan(at)));
    } else if (entry.inode != 0) {
      IMPRINT_TRY(check_entry(entry));
      if (index != nullptr) index->add_name(entry.name);
    }
    at += entry.length;
  }
  return {};
}

Result<> DirectoryCheck::check_dot(const Entry& entry, ByteView bytes) {
  const bool is_first = dots_ == 0;
  const std::string_view should = is_first ? "." : "..";
  if (entry.inode == 0 || entry.name != should ||
      bytes[kHeaderBytes + should.size()] != std::byte{0} ||
      (is_first && entry.inode != directory_->number)) {
    return bad(fmt::format("does not begin with '.' and '..' as it should ({})", quoted(should)));
  }
  if (!is_first) directory_->dot_dot = entry.inode;
  ++dots_;
  return check_target(entry);
}

Result<> DirectoryCheck::check_entry(const Entry& entry) {
  if (entry.name.empty()) return bad("has an entry without a name");
  if (entry.name == "." || entry.name == "..")
    return bad(fmt::format("has {} twice", quoted(entry.name)));
  if (entry.inode == directory_->number || entry.inode == EXT2_ROOT_INO)
    return bad(fmt::format("leads back to {} by {}",
                           entry.inode == EXT2_ROOT_INO ? "the root" : "itself",
                           quoted(entry.name)));
  if (directory_->encrypted) {
    if (entry.name.size() < kShortestEncryptedName) return bad("has a name that is not encrypted");
  } else if (entry.name.find('/') != std::string_view::npos ||
             entry.name.find('\0') != std::string_view::npos) {
    return bad(fmt::format("has the name {}, which cannot be", quoted(entry.name)));
  }
  names_.push_back(std::hash<std::string_view>()(entry.name));
  return check_target(entry);
}

Result<> DirectoryCheck::check_target(const Entry& entry) {
  InodeSeen* const seen = state_.is_hidden_number(entry.inode) ? nullptr : state_.seen(entry.inode);
  if (seen == nullptr || !seen->in_use) {
    return bad(fmt::format("has {}, which names inode {}; that is not in use", quoted(entry.name),
                           entry.inode));
  }
  // A type of 0 is one that was never written.
  if (entry.type != 0 && entry.type != (has_types_ ? seen->type : 0U)) {
    return bad(fmt::format("has {} as something else than what inode {} is", quoted(entry.name),
                           entry.inode));
  }
  ++seen->named;
  if (seen->type == EXT2_FT_DIR && entry.name != "." && entry.name != "..")
    return note_child(entry, *seen);
  if (entry.name == ".." && seen->type != EXT2_FT_DIR)
    return bad("has a '..' that is no directory");
  return {};
}

Result<> DirectoryCheck::note_child(const Entry& entry, const InodeSeen& seen) {
  DirectorySeen& child = state_.directories[seen.directory];
  if (child.parent != 0) {
    return bad(fmt::format("has {}, a directory that has another name in the one in inode {}",
                           quoted(entry.name), child.parent));
  }
  child.parent = directory_->number;
  return {};
}

Result<> DirectoryCheck::check_names_differ() {
  std::sort(names_.begin(), names_.end());
  if (std::adjacent_find(names_.begin(), names_.end()) == names_.end()) return {};
  return bad("has a name twice");
}

/// Whether every directory has its way up to the root.
[[nodiscard]] Result<> check_ways_up(CheckState& state) {
  enum class Way : std::uint8_t { unknown, asking, found };
  std::vector<Way> ways(state.directories.size());
  ways[state.seen(EXT2_ROOT_INO)->directory] = Way::found;
  for (std::size_t i = 0; i < ways.size(); ++i) {
    const DirectorySeen& directory = state.directories[i];
    if (directory.parent == 0) {
      return state.corrupt(fmt::format("the directory in inode {} has no name", directory.number));
    }
    std::size_t at = i;
    for (; ways[at] == Way::unknown; at = state.seen(state.directories[at].parent)->directory) {
      ways[at] = Way::asking;
      if (state.directories[at].parent == 0) break;
    }
    if (ways[at] == Way::asking) {
      return state.corrupt(fmt::format("the directory in inode {} cannot be reached from the root",
                                       directory.number));
    }
    for (at = i; ways[at] == Way::asking; at = state.seen(state.directories[at].parent)->directory)
      ways[at] = Way::found;
    if (directory.dot_dot == directory.parent) continue;
    return state.corrupt(
        fmt::format("the directory in inode {} says that it is in inode {}, but is in inode {}",
                    directory.number, directory.dot_dot, directory.parent));
  }
  return {};
}

[[nodiscard]] Result<> check_value(const CheckState& state, InodeNumber number,
                                   const InodeSeen& seen) {
  const auto says = state.value_references.find(number);
  if (says == state.value_references.end() || says->second == seen.values) return {};
  return state.corrupt(
      fmt::format("inode {} says that it is the value of {} extended attributes; it is of {}",
                  number, says->second, seen.values));
}

[[nodiscard]] Result<> check_link_count(const CheckState& state, InodeNumber number,
                                        const InodeSeen& seen) {
  std::uint32_t named = seen.named;
  if (named == 0 && seen.is_value && seen.values > 0) {
    IMPRINT_TRY(check_value(state, number, seen));
    named = 1;
  }
  if (named == 0) {
    return state.corrupt(fmt::format("inode {} is in use, but no directory names it", number));
  }
  const bool is_directory = seen.type == EXT2_FT_DIR;
  // Of a directory with more, 1 stands for "many"; so it may stay when they become fewer.
  if (is_directory && named > EXT2_LINK_MAX) named = 1;
  if (named == seen.links || (is_directory && seen.indexed && seen.links == 1)) return {};
  return state.corrupt(
      fmt::format("inode {} says that it has {} links; it has {}", number, seen.links, named));
}

}  // namespace

Result<> check_directories(CheckState& state) {
  InodeSeen* const root = state.seen(EXT2_ROOT_INO);
  if (root == nullptr || root->type != EXT2_FT_DIR)
    return state.corrupt("there is no root directory");
  state.directories[root->directory].parent = EXT2_ROOT_INO;
  DirectoryCheck check(state);
  for (DirectorySeen& directory : state.directories)
    IMPRINT_TRY(check.check(directory));
  return check_ways_up(state);
}

Result<> check_links(CheckState& state) {
  for (std::size_t group = 0; group < state.inodes.size(); ++group) {
    for (std::size_t i = 0; i < state.inodes[group].size(); ++i) {
      const InodeSeen& seen = state.inodes[group][i];
      if (!seen.in_use || seen.is_hidden) continue;
      const auto number = static_cast<InodeNumber>(group * state.super.s_inodes_per_group + i + 1);
      IMPRINT_TRY(check_link_count(state, number, seen));
    }
  }
  return {};
}

}  // namespace imprint::image
