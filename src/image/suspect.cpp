#include "suspect.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "imprint/base/text.hpp"
#include "imprint/image/volume.hpp"

namespace imprint::image {
namespace {

template <std::size_t N>
[[nodiscard]] bool is_one_of(std::string_view type,
                             const std::array<std::string_view, N>& types) noexcept {
  return std::ranges::find(types, type) != types.end();
}

constexpr std::array<std::string_view, 3> kExt = {"ext2", "ext3", "ext4"};
constexpr std::array<std::string_view, 5> kReadOnly = {"squashfs", "squashfs3", "erofs", "cramfs",
                                                       "romfs"};
constexpr std::array<std::string_view, 3> kOtherWritable = {"btrfs", "xfs", "f2fs"};
constexpr std::array<std::string_view, 2> kContainers = {"LVM2_member", "crypto_LUKS"};

[[nodiscard]] bool equals_in_any_case(std::string_view text, std::string_view lower) noexcept {
  const auto same = [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
  };
  return std::ranges::equal(text, lower, same);
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
  suspect.is_empty = std::ranges::all_of(names, [](const std::string& name) {
    return name == "." || name == ".." || name == "lost+found";
  });
  return {};
}

}  // namespace

bool Suspect::is_ext() const noexcept {
  return is_one_of(partition->file_system, kExt);
}

bool Suspect::is_fat() const noexcept {
  return partition->file_system == "vfat";
}

bool Suspect::is_read_only_kind() const noexcept {
  return is_one_of(partition->file_system, kReadOnly);
}

bool Suspect::can_be_root() const noexcept {
  return is_ext() || is_read_only_kind() || is_one_of(partition->file_system, kOtherWritable);
}

bool Suspect::can_be_data() const noexcept {
  return is_ext() || is_fat() || is_one_of(partition->file_system, kOtherWritable) ||
         is_one_of(partition->file_system, kContainers);
}

bool Suspect::can_be_boot() const noexcept {
  return is_fat() || is_ext();
}

bool Suspect::is_beyond_us() const noexcept {
  return error && error->code == Code::unsupported;
}

bool Suspect::is_damaged() const noexcept {
  return error && error->code != Code::unsupported;
}

bool Suspect::labelled_data() const noexcept {
  constexpr std::string_view kLabel = "data";
  return is_fat() ? equals_in_any_case(partition->label, kLabel) : partition->label == kLabel;
}

bool Suspect::labelled_boot() const noexcept {
  return equals_in_any_case(partition->label, "boot");
}

bool Suspect::same_kind(const Suspect& other) const noexcept {
  return (is_ext() && other.is_ext()) || partition->file_system == other.partition->file_system;
}

std::vector<Suspect> look_into_all(const FileImage& image,
                                   const std::vector<Partition>& partitions) {
  std::vector<Suspect> suspects;
  for (const Partition& partition : partitions) {
    Suspect suspect;
    suspect.partition = &partition;
    if (suspect.is_ext()) {
      auto looked = look_into(image, suspect);
      if (!looked) suspect.error = std::move(looked).error();
    }
    suspects.push_back(std::move(suspect));
  }
  return suspects;
}

std::string describe(const Partition& partition) {
  std::string text =
      fmt::format("partition {}: {}", partition.number,
                  partition.file_system.empty() ? "no file system" : partition.file_system);
  if (!partition.label.empty()) text += " " + quoted(partition.label);
  return text;
}

std::string describe(const Suspect& suspect) {
  std::string text = describe(*suspect.partition);
  if (suspect.error) text += " that cannot be read (" + suspect.error->message() + ")";
  if (suspect.has_device_type) text += ", holds /mender/device_type";
  if (suspect.has_mender_conf_dir) text += ", holds /etc/mender";
  if (suspect.is_empty_ext()) text += ", empty";
  return text;
}

std::string describe(const std::vector<Suspect>& suspects) {
  std::vector<std::string> lines;
  lines.reserve(suspects.size());
  for (const Suspect& suspect : suspects)
    lines.push_back(describe(suspect));
  return fmt::format("{}", fmt::join(lines, "; "));
}

}  // namespace imprint::image
