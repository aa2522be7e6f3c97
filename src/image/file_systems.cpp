#include "imprint/image/file_systems.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "imprint/base/text.hpp"

namespace imprint::image {

struct FileSystems::Impl {
  Impl(std::unique_ptr<FileSystemSource> from, Layout of)
      : source(std::move(from)),
        layout(std::move(of)) {}

  std::unique_ptr<FileSystemSource> source;
  Layout layout;
  std::map<int, std::unique_ptr<FileSystem>> open;  // by partition; after the source they come from

  Result<FileSystem*> at(const Partition& partition) {
    const auto found = open.find(partition.number);
    if (found != open.end()) return found->second.get();
    auto file_system = IMPRINT_TRY(source->open(partition));
    return open.emplace(partition.number, std::move(file_system)).first->second.get();
  }
};

namespace {

/// Opens what a role of the layout is played by; empty when nothing does.
[[nodiscard]] Mount mount_of(const std::shared_ptr<FileSystems::Impl>& impl,
                             const std::optional<Partition>& partition) {
  if (!partition) return {};
  return [impl, where = *partition] { return impl->at(where); };
}

/// Why there is no rootfs to edit, from what is there instead.
[[nodiscard]] Error no_rootfs(const Layout& layout) {
  std::string reason = "no partition of the image is a rootfs that can be edited";
  for (const Partition& partition : layout.partitions) {
    if (partition.file_system == "squashfs") {
      reason = fmt::format("partition {} is squashfs, which cannot be edited", partition.number);
      break;
    }
  }
  return {Code::unsupported,
          reason +
              ": write to the data partition instead (paths under /data, mender_conf.target "
              "\"data\")"};
}

[[nodiscard]] Mount root_mount(const std::shared_ptr<FileSystems::Impl>& impl,
                               const std::optional<Partition>& rootfs) {
  if (rootfs) return mount_of(impl, rootfs);
  return [impl]() -> Result<FileSystem*> { return fail(no_rootfs(impl->layout)); };
}

[[nodiscard]] bool is(const std::optional<Partition>& role, const Partition& partition) {
  return role && role->number == partition.number;
}

}  // namespace

FileSystems::FileSystems(std::unique_ptr<FileSystemSource> source, Layout layout)
    : impl_(std::make_shared<Impl>(std::move(source), std::move(layout))) {
  const Layout& found = impl_->layout;
  const auto add = [&](const std::optional<Partition>& rootfs, bool is_second) {
    roots_.push_back({.label = label_of(rootfs ? *rootfs : found.data.value_or(Partition{})),
                      .is_second = is_second,
                      .has_rootfs = rootfs.has_value(),
                      .tree = DeviceTree({.root = root_mount(impl_, rootfs),
                                          .data = mount_of(impl_, found.data),
                                          .boot = mount_of(impl_, found.boot)})});
  };
  add(found.rootfs_a, false);
  if (found.rootfs_b && found.rootfs_b_populated) add(found.rootfs_b, true);
}

const Layout& FileSystems::layout() const noexcept {
  return impl_->layout;
}

namespace {

Result<Partition> partition_of(const Layout& layout, int number) {
  const std::vector<Partition>& all = layout.partitions;
  const auto found = std::ranges::find(all, number, &Partition::number);
  if (found != all.end()) return *found;
  std::vector<std::string> there;
  for (const Partition& partition : all) {
    there.push_back(
        fmt::format("{} ({})", partition.number,
                    partition.file_system.empty() ? "no file system" : partition.file_system));
  }
  return fail(Code::not_found, fmt::format("the image has no partition {}; it has {}", number,
                                           fmt::join(there, ", ")));
}

}  // namespace

Result<FileSystem*> FileSystems::at(int partition_number) {
  const Partition partition = IMPRINT_TRY(partition_of(impl_->layout, partition_number));
  return impl_->at(partition);
}

Result<FileSystems::Root> FileSystems::alone(int partition_number) {
  const Partition partition = IMPRINT_TRY(partition_of(impl_->layout, partition_number));
  return Root{.label = label_of(partition),
              .is_second = false,
              .has_rootfs = true,
              .tree = DeviceTree(
                  {.root = mount_of(impl_, partition), .data = {}, .boot = {}, .alone = true})};
}

std::vector<FileSystem*> FileSystems::opened() const {
  std::vector<FileSystem*> all;
  for (const auto& [number, file_system] : impl_->open)
    all.push_back(file_system.get());
  return all;
}

std::string FileSystems::label_of(const Partition& partition) const {
  const Layout& layout = impl_->layout;
  std::string_view role;
  if (is(layout.data, partition)) role = "data";
  if (is(layout.boot, partition)) role = "boot";
  if (is(layout.rootfs_a, partition)) role = "rootfs A";
  if (is(layout.rootfs_b, partition)) role = "rootfs B";
  if (role.empty()) return fmt::format("partition {}", partition.number);
  return fmt::format("{} (partition {})", role, partition.number);
}

Result<> FileSystems::commit() {
  for (const auto& [number, file_system] : impl_->open) {
    IMPRINT_TRY(file_system->commit().context(label_of(file_system->partition())));
  }
  return {};
}

}  // namespace imprint::image
