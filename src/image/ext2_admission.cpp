// Which ext file systems imprint touches.
//
// libext2fs opens nearly everything: a journal that still holds changes (it cannot replay it, and a
// replay after our edit would undo half of it), a file system with its error flag set, features
// whose rules the library leaves to its callers (quota counts, blocks that files share). So there
// is a list of the features whose images the tests write and e2fsck accepts; anything else is
// refused by its name. Reading asks for less, as the format means it: a compatible or read-only
// compatible feature changes nothing for a reader.
//
// Not for editing, and why: 'quota' (the counts are in files whose format no library offers),
// 'shared_blocks' (freeing a file's blocks would empty others), 'read-only' (says so itself).

#include "ext2_admission.hpp"

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

extern "C" {  // e2p.h, unlike its neighbours, does not say so itself
#include <e2p/e2p.h>
}

#include "ext2_error.hpp"

namespace imprint::image {
namespace {

constexpr std::string_view kRepair = "repair it with 'e2fsck -f' on the partition and try again";

struct FeatureWord {
  int kind;               // e2p's name for the word
  std::uint32_t present;  // as in the superblock
  std::uint32_t known;
};

constexpr std::uint32_t kKnownCompatible =
    EXT3_FEATURE_COMPAT_HAS_JOURNAL | EXT2_FEATURE_COMPAT_EXT_ATTR |
    EXT2_FEATURE_COMPAT_RESIZE_INODE | EXT2_FEATURE_COMPAT_DIR_INDEX |
    EXT4_FEATURE_COMPAT_SPARSE_SUPER2 | EXT4_FEATURE_COMPAT_ORPHAN_FILE |
    EXT4_FEATURE_COMPAT_FAST_COMMIT | EXT4_FEATURE_COMPAT_STABLE_INODES;

constexpr std::uint32_t kKnownReadOnlyCompatible =
    EXT2_FEATURE_RO_COMPAT_SPARSE_SUPER | EXT2_FEATURE_RO_COMPAT_LARGE_FILE |
    EXT4_FEATURE_RO_COMPAT_HUGE_FILE | EXT4_FEATURE_RO_COMPAT_GDT_CSUM |
    EXT4_FEATURE_RO_COMPAT_DIR_NLINK | EXT4_FEATURE_RO_COMPAT_EXTRA_ISIZE |
    EXT4_FEATURE_RO_COMPAT_METADATA_CSUM | EXT4_FEATURE_RO_COMPAT_BIGALLOC |
    EXT4_FEATURE_RO_COMPAT_PROJECT | EXT4_FEATURE_RO_COMPAT_VERITY;

constexpr std::uint32_t kKnownIncompatible =
    EXT2_FEATURE_INCOMPAT_FILETYPE | EXT3_FEATURE_INCOMPAT_EXTENTS | EXT4_FEATURE_INCOMPAT_64BIT |
    EXT4_FEATURE_INCOMPAT_FLEX_BG | EXT4_FEATURE_INCOMPAT_CSUM_SEED |
    EXT4_FEATURE_INCOMPAT_LARGEDIR | EXT2_FEATURE_INCOMPAT_META_BG | EXT4_FEATURE_INCOMPAT_MMP |
    EXT4_FEATURE_INCOMPAT_EA_INODE | EXT4_FEATURE_INCOMPAT_INLINE_DATA |
    EXT4_FEATURE_INCOMPAT_ENCRYPT | EXT4_FEATURE_INCOMPAT_CASEFOLD;

/// The names of the features in `mask`, as mke2fs and tune2fs use them: "'quota', 'encrypt'".
[[nodiscard]] std::string feature_names(int kind, std::uint32_t mask) {
  std::string names;
  for (unsigned bit = 0; bit < 32; ++bit) {
    const std::uint32_t one = mask & (std::uint32_t{1} << bit);
    if (one == 0) continue;
    std::array<char, 64> name{};
    e2p_feature_to_string(kind, one, name.data(), name.size());
    names += fmt::format("{}'{}'", names.empty() ? "" : ", ", name.data());
  }
  return names;
}

[[nodiscard]] Result<> admit_state(const ext2_super_block& super) {
  if ((super.s_feature_incompat & EXT3_FEATURE_INCOMPAT_RECOVER) != 0) {
    return fail(Code::corrupt,
                fmt::format("the journal needs recovery: the image was taken from a file system in "
                            "use; {}",
                            kRepair));
  }
  if ((super.s_state & EXT2_ERROR_FS) != 0) {
    return fail(Code::corrupt, fmt::format("the file system is marked with errors; {}", kRepair));
  }
  if ((super.s_state & EXT2_VALID_FS) == 0) {
    return fail(Code::corrupt,
                fmt::format("the file system was not cleanly unmounted; {}", kRepair));
  }
  if ((super.s_feature_ro_compat & EXT4_FEATURE_RO_COMPAT_ORPHAN_PRESENT) != 0 ||
      super.s_last_orphan != 0) {
    return fail(Code::corrupt,
                fmt::format("files that were deleted while open wait for clean-up; {}", kRepair));
  }
  return {};
}

/// The names of all features outside the lists.
[[nodiscard]] std::string unknown_features(const ext2_super_block& super, Purpose purpose) {
  const bool for_edit = purpose == Purpose::edit;
  const std::array<FeatureWord, 3> words{
      FeatureWord{E2P_FEATURE_INCOMPAT, super.s_feature_incompat, kKnownIncompatible},
      FeatureWord{E2P_FEATURE_RO_INCOMPAT, for_edit ? super.s_feature_ro_compat : 0,
                  kKnownReadOnlyCompatible},
      FeatureWord{E2P_FEATURE_COMPAT, for_edit ? super.s_feature_compat : 0, kKnownCompatible},
  };
  std::string unknown;
  for (const FeatureWord& word : words) {
    const std::string names = feature_names(word.kind, word.present & ~word.known);
    if (!names.empty()) unknown += (unknown.empty() ? "" : ", ") + names;
  }
  return unknown;
}

[[nodiscard]] Result<> admit_features(const ext2_super_block& super, Purpose purpose) {
  if ((super.s_feature_incompat & EXT3_FEATURE_INCOMPAT_JOURNAL_DEV) != 0) {
    return fail(Code::unsupported, "this is an external journal, not a file system");
  }
  const std::string unreadable = unknown_features(super, Purpose::read);
  const std::string unknown = unreadable.empty() ? unknown_features(super, purpose) : unreadable;
  if (!unknown.empty()) {
    return fail(
        Code::unsupported,
        fmt::format("the file system uses {}, which this version {}; make it without "
                    "('mke2fs -O ^FEATURE')",
                    unknown, unreadable.empty() ? "can read but not edit" : "does not support"));
  }
  if ((super.s_feature_compat & EXT3_FEATURE_COMPAT_HAS_JOURNAL) != 0 &&
      super.s_journal_inum == 0) {
    return fail(Code::unsupported,
                "the journal is on another device, which this version does not support; make the "
                "file system with an internal journal");
  }
  return {};
}

}  // namespace

Result<> admit_superblock(const ext2_super_block& super, std::uint64_t partition_bytes,
                          Purpose purpose) {
  // State first: 'needs_recovery' and 'orphan_present' are written as features but mean a state.
  IMPRINT_TRY(admit_state(super));
  IMPRINT_TRY(admit_features(super, purpose));
  // The library only needs the address of its own structure; it changes nothing.
  ext2_super_block copy = super;
  const std::uint64_t bytes =
      ext2fs_blocks_count(&copy) * static_cast<std::uint64_t>(EXT2_BLOCK_SIZE(&copy));
  if (bytes > partition_bytes) {
    return fail(Code::corrupt,
                fmt::format("the file system has {} bytes, its partition only {}; the image or its "
                            "partition table is truncated",
                            bytes, partition_bytes));
  }
  return {};
}

Result<> admit_groups(ext2_filsys fs) {
  for (dgrp_t group = 0; group < fs->group_desc_count; ++group) {
    if (ext2fs_group_desc_csum_verify(fs, group) == 0) {
      return fail(Code::corrupt,
                  fmt::format("the descriptor of block group {} does not match its checksum; {}",
                              group, kRepair));
    }
  }
  // The library trusts these places when it writes bitmaps and inodes.
  if (const errcode_t code = ext2fs_check_desc(fs); code != 0) return fail(ext2_error(code));
  return {};
}

Result<> admit_users(ext2_filsys fs) {
  if (ext2fs_has_feature_mmp(fs->super) == 0) return {};
  std::vector<std::uint32_t> block(fs->blocksize / sizeof(std::uint32_t));
  const errcode_t code = io_channel_read_blk64(fs->io, fs->super->s_mmp_block, 1, block.data());
  if (code != 0) return fail(ext2_error(code));
  if (ext2fs_le32_to_cpu(block[0]) != EXT4_MMP_MAGIC) {
    return fail(Code::corrupt, fmt::format("the block of multiple mount protection holds something "
                                           "else; {}",
                                           kRepair));
  }
  if (ext2fs_le32_to_cpu(block[1]) != EXT4_MMP_SEQ_CLEAN) {
    return fail(
        Code::corrupt,
        fmt::format("multiple mount protection says that the file system is in use; unmount "
                    "it there, or {}",
                    kRepair));
  }
  return {};
}

}  // namespace imprint::image
