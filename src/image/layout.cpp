// Who is who on a Mender disk. The device finds its partitions by number, from configuration that
// is spread over the boot loader, fstab and mender.conf; none of that is a source to rely on here.
// What is reliable is what the partitions hold: the client needs /mender/device_type on the data
// partition and /etc/mender in the root file system. The label `data` comes second (mender-convert
// sets none), the order in which all builders lay the disk out (boot, A, B, [swap], data, extras)
// last. Where that leaves two answers there is none: the user is asked to say.
//
// An ext partition that cannot be opened is never passed over in silence where it could be one of
// ours: B taken for A because A has a dirty journal would leave A without an identity. One whose
// features are beyond libext2fs, or beyond what is tested here, is taken for a root where a root
// may be, so that whoever wants to edit it is told why not.

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "imprint/base/text.hpp"
#include "imprint/image/partition.hpp"
#include "layout_choice.hpp"
#include "suspect.hpp"

namespace imprint::image {
namespace {

using Chosen = std::vector<const Suspect*>;

constexpr std::string_view kSayData = "say which with --data-part N, or 'layout' in the manifest";
constexpr std::string_view kSayRoots =
    "say which with --rootfs-a-part N and --rootfs-b-part N, or 'layout' in the manifest";

/// The search for one image's roles; those that were chosen are filled in from the start.
class Search {
 public:
  Search(const FileImage& image, const std::vector<Suspect>& suspects, Roles roles)
      : image_(image),
        suspects_(suspects),
        roles_(roles) {}

  Result<Roles> run() {
    if (roles_.data == nullptr) roles_.data = IMPRINT_TRY(find_data());
    IMPRINT_TRY(find_roots());
    if (roles_.boot == nullptr) roles_.boot = find_boot();
    return roles_;
  }

  /// A file system without a table has the one role that its signs give it.
  Result<Roles> run_bare() {
    const Suspect& only = suspects_.front();
    if (roles_.taken(only)) return roles_;
    if (only.is_damaged()) return fail(*only.error);
    if (only.has_device_type || (only.labelled_data() && only.can_be_data())) {
      roles_.data = &only;
    } else if (only.can_be_root()) {
      roles_.rootfs_a = &only;
    } else if (only.is_fat()) {
      roles_.boot = &only;
    }
    return roles_;
  }

 private:
  template <class Predicate>
  [[nodiscard]] Chosen choose(Predicate wanted) const {
    Chosen chosen;
    for (const Suspect& suspect : suspects_) {
      if (!roles_.taken(suspect) && wanted(suspect)) chosen.push_back(&suspect);
    }
    return chosen;
  }

  [[nodiscard]] Unexpected several(std::string_view what, std::string_view say) const {
    return fail(Code::invalid_input,
                fmt::format("{} has more than {}; found {}; {}", quoted(image_.path().native()),
                            what, describe(suspects_), say));
  }

  Result<const Suspect*> find_data() const {
    const Chosen labelled = choose(
        [](const Suspect& suspect) { return suspect.labelled_data() && suspect.can_be_data(); });
    const Chosen by_content =
        choose([](const Suspect& suspect) { return suspect.has_device_type; });
    // Before the content is asked: the partition that calls itself data must not lose against
    // another only because it could not be read.
    for (const Suspect* suspect : labelled) {
      if (suspect->is_damaged() || (suspect->is_beyond_us() && !by_content.empty()))
        return fail(*suspect->error);
    }
    if (by_content.size() == 1) return by_content.front();
    if (by_content.size() > 1) {
      Chosen both;
      std::ranges::copy_if(by_content, std::back_inserter(both), &Suspect::labelled_data);
      if (both.size() == 1) return both.front();
      return several("one data partition (/mender/device_type)", kSayData);
    }
    if (labelled.size() == 1) return labelled.front();
    if (labelled.size() > 1) return several("one data partition (label 'data')", kSayData);
    return data_by_position();
  }

  /// Boot, A, B, data: what is left behind the roots, when it is one.
  Result<const Suspect*> data_by_position() const {
    const Chosen behind = behind_the_roots();
    Chosen candidates;
    std::ranges::copy_if(behind, std::back_inserter(candidates), &Suspect::can_be_data);
    if (candidates.empty()) return nullptr;
    if (candidates.size() > 1)
      return several("one partition behind the roots that may be data", kSayData);
    if (candidates.front()->is_damaged()) return fail(*candidates.front()->error);
    return candidates.front();
  }

  /// What follows A and B, as far as roots can be told at all.
  [[nodiscard]] Chosen behind_the_roots() const {
    Chosen rest = choose([](const Suspect&) { return true; });
    const auto is_root = [](const Suspect* suspect) {
      const bool unknown_content = suspect->can_be_root() && !suspect->is_ext();
      return suspect->has_mender_conf_dir || unknown_content;
    };
    auto first = std::ranges::find_if(rest, is_root);
    const Suspect* root = roles_.rootfs_b != nullptr ? roles_.rootfs_b : roles_.rootfs_a;
    if (root != nullptr) {
      std::erase_if(rest,
                    [root](const Suspect* suspect) { return suspect->number() < root->number(); });
      if (roles_.rootfs_b != nullptr) return rest;
      first = rest.begin();
    } else {
      if (first == rest.end()) return {};
      root = *first++;
    }
    // B is the next that may be one: of A's kind, or not formatted yet.
    const auto b = std::find_if(first, rest.end(), [root](const Suspect* suspect) {
      return suspect->same_kind(*root) || suspect->partition->file_system.empty();
    });
    if (b != rest.end()) first = b + 1;
    Chosen behind(first, rest.end());
    std::erase_if(behind, [](const Suspect* suspect) { return suspect->has_mender_conf_dir; });
    return behind;
  }

  [[nodiscard]] bool may_be_root(const Suspect& suspect) const noexcept {
    const bool before_data = roles_.data == nullptr || suspect.number() < roles_.data->number();
    return suspect.can_be_root() && before_data && !suspect.labelled_boot();
  }

  Result<> find_roots() {
    const bool chosen_b = roles_.rootfs_b != nullptr;
    if (roles_.rootfs_a != nullptr && chosen_b) return {};
    const Chosen damaged = choose(
        [this](const Suspect& suspect) { return suspect.is_damaged() && may_be_root(suspect); });
    if (!damaged.empty()) return fail(*damaged.front()->error);

    const Chosen populated = choose([this](const Suspect& suspect) {
      return suspect.has_mender_conf_dir || (suspect.is_beyond_us() && may_be_root(suspect));
    });
    const std::size_t open_roles = roles_.rootfs_a == nullptr && !chosen_b ? 2 : 1;
    if (populated.size() > open_roles) {
      return several(open_roles == 2 ? "two root file systems (/etc/mender)"
                                     : "one other root file system (/etc/mender)",
                     kSayRoots);
    }
    if (roles_.rootfs_a != nullptr || chosen_b) {
      fill_one_root(populated);
    } else if (populated.size() == 2) {
      roles_.rootfs_a = populated[0];
      roles_.rootfs_b = populated[1];
    } else if (populated.size() == 1) {
      set_pair(*populated.front(), empty_partner(*populated.front()));
    } else {
      roots_by_position();
    }
    return {};
  }

  /// One of the two was chosen; the other one has a sign, or lies beside it.
  void fill_one_root(const Chosen& populated) {
    const Suspect*& open = roles_.rootfs_a == nullptr ? roles_.rootfs_a : roles_.rootfs_b;
    const Suspect& chosen = roles_.rootfs_a == nullptr ? *roles_.rootfs_b : *roles_.rootfs_a;
    if (!populated.empty()) {
      open = populated.front();
      return;
    }
    const Chosen same = choose([&](const Suspect& suspect) {
      return may_be_root(suspect) && !suspect.is_ext() && suspect.same_kind(chosen);
    });
    open = same.empty() ? empty_partner(chosen) : same.front();
  }

  void set_pair(const Suspect& one, const Suspect* other) {
    const bool other_first = other != nullptr && other->number() < one.number();
    roles_.rootfs_a = other_first ? other : &one;
    roles_.rootfs_b = other_first ? &one : other;
  }

  /// B beside a populated A (or A beside a populated B): the ext file system next to it that is
  /// empty, first looking between it and the data partition, then behind it, then before it.
  [[nodiscard]] const Suspect* empty_partner(const Suspect& populated) const {
    const Chosen empty = choose(
        [](const Suspect& suspect) { return suspect.is_empty_ext() && !suspect.labelled_boot(); });
    if (roles_.data != nullptr) {
      for (const Suspect* suspect : empty) {
        if (suspect->number() > populated.number() && suspect->number() < roles_.data->number())
          return suspect;
      }
    }
    for (const Suspect* suspect : empty) {
      if (suspect->number() > populated.number()) return suspect;
    }
    // A and B are of one size; what lies before and is smaller is for the boot loader.
    for (const Suspect* suspect : empty) {
      if (suspect->partition->size_bytes >= populated.partition->size_bytes) return suspect;
    }
    return nullptr;
  }

  /// Nobody has /etc/mender: the first two before the data partition, as all builders order them;
  /// the second only when it is of the first one's kind, or an ext file system that waits empty.
  void roots_by_position() {
    const Chosen roots = choose([this](const Suspect& suspect) { return may_be_root(suspect); });
    if (roots.empty()) return;
    roles_.rootfs_a = roots.front();
    if (roots.size() < 2) return;
    const Suspect& second = *roots[1];
    if (second.same_kind(*roots.front()) || second.is_empty_ext()) roles_.rootfs_b = &second;
  }

  /// FAT, or an ext file system that is called so, before the roots; of several the one that the
  /// firmware is told to use, else the first. An EFI system partition may be anywhere.
  [[nodiscard]] const Suspect* find_boot() const {
    const Suspect* after = roles_.rootfs_a != nullptr ? roles_.rootfs_a : roles_.data;
    const Chosen before = choose([after](const Suspect& suspect) {
      const bool is_boot = suspect.is_fat() || (suspect.is_ext() && suspect.labelled_boot());
      return is_boot && (after == nullptr || suspect.number() < after->number());
    });
    const Chosen marked = choose(
        [](const Suspect& suspect) { return suspect.is_fat() && suspect.partition->boot_mark; });
    for (const Suspect* suspect : before) {
      if (suspect->partition->boot_mark) return suspect;
    }
    if (!before.empty()) return before.front();
    return marked.empty() ? nullptr : marked.front();
  }

  const FileImage& image_;
  const std::vector<Suspect>& suspects_;
  Roles roles_;
};

[[nodiscard]] std::optional<Partition> partition_of(const Suspect* suspect) {
  return suspect != nullptr ? std::optional(*suspect->partition) : std::nullopt;
}

/// What cannot be looked into is taken for what it should be: whoever works on it will see.
[[nodiscard]] bool is_populated(const Suspect* root) {
  if (root == nullptr) return false;
  return !root->is_ext() || root->is_beyond_us() || root->has_mender_conf_dir;
}

[[nodiscard]] std::string_view role_of(const Layout& layout, int number) {
  const auto is = [number](const std::optional<Partition>& role) {
    return role && role->number == number;
  };
  if (is(layout.boot)) return " (boot)";
  if (is(layout.rootfs_a)) return " (rootfs A)";
  if (is(layout.rootfs_b)) return " (rootfs B)";
  return "";
}

}  // namespace

Result<Layout> find_layout(const FileImage& image, const LayoutChoice& choice) {
  PartitionTable table = IMPRINT_TRY(read_partition_table(image));
  const std::vector<Suspect> suspects = look_into_all(image, table.partitions);
  const Roles chosen = IMPRINT_TRY(apply_choice(image, choice, table, suspects));
  Search search(image, suspects, chosen);
  const Roles roles = IMPRINT_TRY(table.kind == TableKind::none ? search.run_bare() : search.run());

  Layout layout;
  layout.table = table.kind;
  layout.boot = partition_of(roles.boot);
  layout.rootfs_a = partition_of(roles.rootfs_a);
  layout.rootfs_b = partition_of(roles.rootfs_b);
  layout.rootfs_a_populated = is_populated(roles.rootfs_a);
  layout.rootfs_b_populated = is_populated(roles.rootfs_b);
  layout.data = partition_of(roles.data);
  layout.partitions = std::move(table.partitions);
  return layout;
}

Result<Partition> data_partition(const Layout& layout, const fs::path& image) {
  if (layout.data) return *layout.data;
  if (layout.table == TableKind::none && layout.partitions.size() == 1) {
    return fail(Code::invalid_input,
                fmt::format("{} has no data partition: it is one {} file system{} without a "
                            "partition table",
                            quoted(image.native()), layout.partitions.front().file_system,
                            role_of(layout, 1)));
  }
  std::vector<std::string> there;
  for (const Partition& partition : layout.partitions)
    there.push_back(fmt::format("{}{}", describe(partition), role_of(layout, partition.number)));
  return fail(Code::invalid_input,
              fmt::format("{} has no data partition: none holds /mender/device_type, is labelled "
                          "'data' or lies behind the root file systems; found {}; {}",
                          quoted(image.native()), fmt::join(there, "; "), kSayData));
}

}  // namespace imprint::image
