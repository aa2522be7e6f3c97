// Who is who on a Mender disk. The device finds its partitions by number, from configuration that
// is spread over the boot loader, fstab and mender.conf; none of that is a source to rely on here.
// What is reliable is what the partitions hold: the client needs /mender/device_type on the data
// partition and /etc/mender in the root file system. The label `data` comes second (mender-convert
// sets none), the order in which all builders lay the disk out (boot, A, B, [swap], data, extras)
// last.
//
// An ext partition that cannot be opened is never passed over in silence where it could be one of
// ours: B taken for A because A has a dirty journal would leave A without an identity.

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "imprint/base/text.hpp"
#include "imprint/image/partition.hpp"
#include "imprint/image/volume.hpp"

namespace imprint::image {
namespace {

constexpr std::string_view kDataLabel = "data";

/// A partition and what was learnt by looking into it.
struct Suspect {
  const Partition* partition = nullptr;
  bool is_ext = false;
  std::optional<Error> error;  ///< why its content is not known
  bool has_device_type = false;
  bool has_mender_conf_dir = false;
  bool is_empty = false;  ///< lost+found at most

  [[nodiscard]] bool readable() const noexcept { return is_ext && !error; }

  [[nodiscard]] bool labelled_data() const noexcept { return partition->label == kDataLabel; }
};

[[nodiscard]] bool is_ext_type(std::string_view type) noexcept {
  return type == "ext2" || type == "ext3" || type == "ext4";
}

/// The node at DIRECTORY/NAME when both are there and DIRECTORY is one.
Result<std::optional<NodeInfo>> find(const Volume& volume, std::string_view directory,
                                     std::string_view name) {
  const auto outer = IMPRINT_TRY(volume.lookup(kRootInode, directory));
  if (!outer) return std::nullopt;
  const NodeInfo outer_info = IMPRINT_TRY(volume.stat(*outer));
  if (outer_info.type != NodeType::directory) return std::nullopt;
  const auto inner = IMPRINT_TRY(volume.lookup(*outer, name));
  if (!inner) return std::nullopt;
  return IMPRINT_TRY(volume.stat(*inner));
}

Result<> look_into(const FileImage& image, Suspect& suspect) {
  const Volume volume = IMPRINT_TRY(Volume::open_read(image, *suspect.partition));
  const auto device_type = IMPRINT_TRY(find(volume, "mender", "device_type"));
  const auto conf_dir = IMPRINT_TRY(find(volume, "etc", "mender"));
  const auto names = IMPRINT_TRY(volume.list(kRootInode));
  suspect.has_device_type = device_type && device_type->type == NodeType::file;
  suspect.has_mender_conf_dir = conf_dir && conf_dir->type == NodeType::directory;
  suspect.is_empty = std::all_of(names.begin(), names.end(), [](const std::string& name) {
    return name == "." || name == ".." || name == "lost+found";
  });
  return {};
}

std::vector<Suspect> look_into_all(const FileImage& image,
                                   const std::vector<Partition>& partitions) {
  std::vector<Suspect> suspects;
  for (const Partition& partition : partitions) {
    Suspect suspect;
    suspect.partition = &partition;
    suspect.is_ext = is_ext_type(partition.file_system);
    if (suspect.is_ext) {
      auto looked = look_into(image, suspect);
      if (!looked) suspect.error = std::move(looked).error();
    }
    suspects.push_back(std::move(suspect));
  }
  return suspects;
}

/// `partition 4: ext4 'data', holds /mender/device_type`
[[nodiscard]] std::string describe(const Suspect& suspect) {
  const Partition& partition = *suspect.partition;
  std::string text =
      fmt::format("partition {}: {}", partition.number,
                  partition.file_system.empty() ? "no file system" : partition.file_system);
  if (!partition.label.empty()) text += " " + quoted(partition.label);
  if (suspect.error) text += " that cannot be read (" + suspect.error->message() + ")";
  if (suspect.has_device_type) text += ", holds /mender/device_type";
  if (suspect.has_mender_conf_dir) text += ", holds /etc/mender";
  if (suspect.readable() && suspect.is_empty) text += ", empty";
  return text;
}

[[nodiscard]] std::string describe(const std::vector<Suspect>& suspects) {
  std::vector<std::string> lines;
  lines.reserve(suspects.size());
  for (const Suspect& suspect : suspects)
    lines.push_back(describe(suspect));
  return fmt::format("{}", fmt::join(lines, "; "));
}

using Chosen = std::vector<const Suspect*>;

template <class Predicate>
[[nodiscard]] Chosen choose(const std::vector<Suspect>& suspects, Predicate wanted) {
  Chosen chosen;
  for (const Suspect& suspect : suspects) {
    if (wanted(suspect)) chosen.push_back(&suspect);
  }
  return chosen;
}

[[nodiscard]] Unexpected several(const FileImage& image, std::string_view role,
                                 std::string_view sign, const std::vector<Suspect>& suspects) {
  return fail(Code::invalid_input,
              fmt::format("{} has more than one {} ({}); found {}", quoted(image.path().native()),
                          role, sign, describe(suspects)));
}

/// Boot, A, B, data: the last of three or more ext file systems, when nothing says it is a root.
[[nodiscard]] const Suspect* data_by_position(const std::vector<Suspect>& suspects) {
  const Chosen ext = choose(suspects, [](const Suspect& suspect) { return suspect.is_ext; });
  if (ext.size() < 3 || ext.back()->has_mender_conf_dir) return nullptr;
  const bool root_before = std::any_of(ext.begin(), ext.end() - 1, [](const Suspect* suspect) {
    return suspect->has_mender_conf_dir;
  });
  return root_before ? ext.back() : nullptr;
}

Result<const Suspect*> find_data(const FileImage& image, const std::vector<Suspect>& suspects) {
  const Chosen labelled =
      choose(suspects, [](const Suspect& suspect) { return suspect.labelled_data(); });
  // Before the content is asked: the partition that calls itself data must not lose against another
  // only because it could not be read.
  for (const Suspect* suspect : labelled) {
    if (suspect->error) return fail(*suspect->error);
  }

  const Chosen by_content =
      choose(suspects, [](const Suspect& suspect) { return suspect.has_device_type; });
  if (by_content.size() == 1) return by_content.front();
  if (by_content.size() > 1) {
    Chosen both;
    std::copy_if(by_content.begin(), by_content.end(), std::back_inserter(both),
                 [](const Suspect* suspect) { return suspect->labelled_data(); });
    if (both.size() == 1) return both.front();
    return several(image, "data partition", "/mender/device_type", suspects);
  }

  if (labelled.size() > 1) return several(image, "data partition", "label 'data'", suspects);
  if (labelled.size() == 1) {
    const Suspect* suspect = labelled.front();
    if (suspect->is_ext) return suspect;
    return fail(Code::unsupported,
                fmt::format("the data partition {} of {} holds {}; only ext2, ext3 and ext4 can be "
                            "written",
                            suspect->partition->number, quoted(image.path().native()),
                            suspect->partition->file_system));
  }

  if (const Suspect* suspect = data_by_position(suspects)) {
    if (suspect->error) return fail(*suspect->error);
    return suspect;
  }
  return fail(
      Code::invalid_input,
      fmt::format("{} has no data partition: no ext file system holds /mender/device_type or is "
                  "labelled 'data'; found {}",
                  quoted(image.path().native()), describe(suspects)));
}

/// B beside a populated A (or A beside a populated B): the ext file system next to it that is
/// empty, first looking between it and the data partition, then behind it, then before it.
[[nodiscard]] const Suspect* empty_partner(const Suspect& populated, const Suspect& data,
                                           const std::vector<Suspect>& suspects) {
  const Chosen empty = choose(suspects, [&](const Suspect& suspect) {
    return suspect.readable() && suspect.is_empty && &suspect != &data;
  });
  const int own = populated.partition->number;
  const int last = data.partition->number;
  for (const Suspect* suspect : empty) {
    const int number = suspect->partition->number;
    if (number > own && number < last) return suspect;
  }
  for (const Suspect* suspect : empty) {
    if (suspect->partition->number > own) return suspect;
  }
  return empty.empty() ? nullptr : empty.back();
}

struct Roots {
  const Suspect* a = nullptr;
  const Suspect* b = nullptr;
};

Result<Roots> find_roots(const FileImage& image, const Suspect& data,
                         const std::vector<Suspect>& suspects) {
  for (const Suspect& suspect : suspects) {
    const bool may_be_root = suspect.partition->number < data.partition->number;
    if (suspect.error && may_be_root) return fail(*suspect.error);
  }
  const Chosen populated = choose(suspects, [&](const Suspect& suspect) {
    return suspect.has_mender_conf_dir && &suspect != &data;
  });
  if (populated.size() > 2) {
    return fail(Code::invalid_input,
                fmt::format("{} has more than two root file systems (/etc/mender); found {}",
                            quoted(image.path().native()), describe(suspects)));
  }
  if (populated.size() == 2) return Roots{populated[0], populated[1]};
  if (populated.size() == 1) {
    const Suspect* one = populated.front();
    const Suspect* other = empty_partner(*one, data, suspects);
    if (other == nullptr) return Roots{one, nullptr};
    if (other->partition->number < one->partition->number) return Roots{other, one};
    return Roots{one, other};
  }
  // Nobody has /etc/mender: the first two before the data partition, as all builders order them.
  const Chosen ext = choose(suspects, [&](const Suspect& suspect) {
    return suspect.readable() && suspect.partition->number < data.partition->number;
  });
  return Roots{ext.empty() ? nullptr : ext[0], ext.size() < 2 ? nullptr : ext[1]};
}

}  // namespace

Result<Layout> find_layout(const FileImage& image, const LayoutChoice& /*choice*/) {
  PartitionTable table = IMPRINT_TRY(read_partition_table(image));
  const std::vector<Suspect> suspects = look_into_all(image, table.partitions);
  const Suspect* data = IMPRINT_TRY(find_data(image, suspects));
  const Roots roots = IMPRINT_TRY(find_roots(image, *data, suspects));

  Layout layout;
  layout.table = table.kind;
  layout.data = *data->partition;
  if (roots.a != nullptr) {
    layout.rootfs_a = *roots.a->partition;
    layout.rootfs_a_populated = roots.a->has_mender_conf_dir;
  }
  if (roots.b != nullptr) {
    layout.rootfs_b = *roots.b->partition;
    layout.rootfs_b_populated = roots.b->has_mender_conf_dir;
  }
  layout.partitions = std::move(table.partitions);
  return layout;
}

Result<Partition> data_partition(const Layout& layout, const fs::path& image) {
  if (layout.data) return *layout.data;
  return fail(Code::invalid_input, fmt::format("{} has no data partition", quoted(image.native())));
}

}  // namespace imprint::image
