#pragma once

#include <optional>
#include <string>
#include <vector>

#include "imprint/base/result.hpp"
#include "imprint/image/partition.hpp"

namespace imprint::image {

/// A partition and what was learnt by looking into it, before it has a role. Only ext file systems
/// are looked into; of others the kind is known.
struct Suspect {
  const Partition* partition = nullptr;
  std::optional<Error> error;  ///< why an ext file system's content is not known
  bool has_device_type = false;
  bool has_mender_conf_dir = false;
  bool is_empty = false;  ///< lost+found at most

  [[nodiscard]] int number() const noexcept { return partition->number; }

  [[nodiscard]] bool is_ext() const noexcept;
  [[nodiscard]] bool is_fat() const noexcept;
  /// Squashfs and its like, which hold nothing but root file systems and applications.
  [[nodiscard]] bool is_read_only_kind() const noexcept;
  [[nodiscard]] bool can_be_root() const noexcept;
  /// Containers (LVM, LUKS) included: what is in them, an engine may know.
  [[nodiscard]] bool can_be_data() const noexcept;
  [[nodiscard]] bool can_be_boot() const noexcept;

  /// Sound, as far as that can be seen, but with features that nothing here can read.
  [[nodiscard]] bool is_beyond_us() const noexcept;
  /// In need of repair.
  [[nodiscard]] bool is_damaged() const noexcept;

  [[nodiscard]] bool is_empty_ext() const noexcept { return is_ext() && !error && is_empty; }

  /// Says so by its label. FAT labels come in capitals.
  [[nodiscard]] bool labelled_data() const noexcept;
  [[nodiscard]] bool labelled_boot() const noexcept;
  /// ext2, ext3 and ext4 are one kind.
  [[nodiscard]] bool same_kind(const Suspect& other) const noexcept;
};

/// In the order of the partitions, which outlive them.
[[nodiscard]] std::vector<Suspect> look_into_all(const FileImage& image,
                                                 const std::vector<Partition>& partitions);

/// `partition 4: ext4 'data', holds /mender/device_type`
[[nodiscard]] std::string describe(const Suspect& suspect);
[[nodiscard]] std::string describe(const std::vector<Suspect>& suspects);

/// `partition 4: ext4 'data'`
[[nodiscard]] std::string describe(const Partition& partition);

}  // namespace imprint::image
