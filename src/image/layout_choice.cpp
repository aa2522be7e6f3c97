#include "layout_choice.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

#include "imprint/base/text.hpp"

namespace imprint::image {
namespace {

struct RoleChoice {
  std::string_view role;
  std::string_view member;  ///< of the manifest's `layout`
  std::string_view option;
  std::optional<int> number;
  const Suspect** into;
  bool (Suspect::*suits)() const noexcept;
  std::string_view kinds;
};

struct Chooser {
  const FileImage& image;
  const PartitionTable& table;
  const std::vector<Suspect>& suspects;

  [[nodiscard]] Unexpected refuse(const RoleChoice& choice, std::string_view why) const {
    return fail(
        Code::invalid_input,
        fmt::format("{} cannot have partition {} as {} ('{}' of the manifest's layout, {}): {}; "
                    "found {}",
                    quoted(image.path().native()), *choice.number, choice.role, choice.member,
                    choice.option, why, describe(suspects)));
  }

  Result<const Suspect*> find(const RoleChoice& choice) const {
    const int number = *choice.number;
    if (std::ranges::find(table.containers, number) != table.containers.end())
      return refuse(choice, "it is the extended partition, which holds others");
    const auto found = std::ranges::find(suspects, number, &Suspect::number);
    if (found == suspects.end()) return refuse(choice, "there is none of that number");
    if (found->partition->file_system.empty()) return refuse(choice, "it holds no file system");
    if (!((*found).*choice.suits)()) {
      return refuse(
          choice, fmt::format("it holds {}, not {}", found->partition->file_system, choice.kinds));
    }
    if (found->is_damaged()) return fail(*found->error);
    return &*found;
  }
};

}  // namespace

Result<Roles> apply_choice(const FileImage& image, const LayoutChoice& choice,
                           const PartitionTable& table, const std::vector<Suspect>& suspects) {
  constexpr std::string_view kRootKinds = "ext, btrfs, xfs, f2fs, squashfs or erofs";
  Roles roles;
  const std::array<RoleChoice, 4> all = {
      RoleChoice{"boot", "boot", "--boot-part", choice.boot, &roles.boot, &Suspect::can_be_boot,
                 "FAT or ext"},
      RoleChoice{"rootfs A", "rootfs_a", "--rootfs-a-part", choice.rootfs_a, &roles.rootfs_a,
                 &Suspect::can_be_root, kRootKinds},
      RoleChoice{"rootfs B", "rootfs_b", "--rootfs-b-part", choice.rootfs_b, &roles.rootfs_b,
                 &Suspect::can_be_root, kRootKinds},
      RoleChoice{"data", "data", "--data-part", choice.data, &roles.data, &Suspect::can_be_data,
                 "ext, btrfs, xfs, f2fs, FAT, LVM or LUKS"},
  };
  const Chooser chooser{image, table, suspects};
  for (auto one = all.begin(); one != all.end(); ++one) {
    if (!one->number) continue;
    const auto other =
        std::find_if(all.begin(), one, [one](const auto& o) { return o.number == one->number; });
    if (other != one) return chooser.refuse(*one, fmt::format("it is {} already", other->role));
    *one->into = IMPRINT_TRY(chooser.find(*one));
  }
  return roles;
}

}  // namespace imprint::image
