// Paths as the device will see them.
//
// A path is walked name by name with a stack of the directories passed through, so that `..` after
// a symbolic link means what it means to the kernel, and can never climb above the root. Another
// file system is entered where the device mounts it, whatever the root has there: its files would
// be hidden below the mount. The names on the stack always spell a path without links; mount points
// are recognised by it.
//
// File systems are opened when the walk needs them: a path below /data works whatever is wrong with
// the root.

#include "imprint/image/tree.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <functional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "imprint/base/text.hpp"

namespace imprint::image {
namespace {

constexpr int kMaxLinks = 40;  // the kernel's limit

constexpr std::string_view kDataMount = "/data";
/// Where the boot partition is mounted on one Mender board or another.
constexpr std::array<std::string_view, 4> kBootMounts{"/boot/efi", "/boot/firmware", "/boot/grub",
                                                      "/uboot"};

/// A directory (or, as the last one, any node) that the walk has reached.
struct Step {
  const Mount* mount = nullptr;
  std::string path;  // within its file system
  std::string name;  // in the device's name space; empty for its root
};

/// Says what a missing directory is made with, by its link-free path; none: it is not made.
using MakePolicy = std::function<std::optional<Attributes>(std::string_view path)>;

[[nodiscard]] std::string below(std::string_view directory, std::string_view name) {
  return fmt::format("{}/{}", directory == "/" ? "" : directory, name);
}

class Walk {
 public:
  Walk(const Mounts& mounts, const MakePolicy& policy, DeviceTree::LastLink last,
       std::string_view path)
      : mounts_(mounts),
        policy_(policy),
        last_(last),
        asked_(path) {}

  Result<DeviceTree::Location> run();

 private:
  void push_names(std::string_view path);
  [[nodiscard]] std::string spelled() const;
  [[nodiscard]] const Mount* mount_at(std::string_view path) const;
  [[nodiscard]] Unexpected refuse(Code code, std::string what) const;
  [[nodiscard]] Result<FileSystem*> open(const Step& step) const;
  Result<> enter(const std::string& name);
  [[nodiscard]] bool enter_boot_mount(const std::string& name);
  Result<> enter_found(const Step& at, const std::string& name, const NodeInfo& node);
  Result<> follow(const std::string& target);
  Result<> make(const std::string& name);
  Result<DeviceTree::Location> arrived() const;

  const Mounts& mounts_;
  const MakePolicy& policy_;
  DeviceTree::LastLink last_;
  std::string_view asked_;
  std::vector<Step> stack_;
  std::deque<std::string> ahead_;
  std::optional<std::string> missing_;  // the last name, when there is nothing under it
  int links_ = 0;
};

/// Puts the names of `path` before those still ahead.
void Walk::push_names(std::string_view path) {
  std::vector<std::string> names;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    if (end > 0) names.emplace_back(path.substr(0, end));
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  ahead_.insert(ahead_.begin(), names.begin(), names.end());
}

std::string Walk::spelled() const {
  std::string path;
  for (const Step& step : stack_) {
    if (!step.name.empty()) path += "/" + step.name;
  }
  return path.empty() ? "/" : path;
}

/// What the device mounts on this directory of its root; null for nothing.
const Mount* Walk::mount_at(std::string_view path) const {
  if (mounts_.alone || stack_.back().mount != &mounts_.root) return nullptr;
  if (path == kDataMount) return &mounts_.data;
  const bool is_boot = std::find(kBootMounts.begin(), kBootMounts.end(), path) != kBootMounts.end();
  return is_boot && mounts_.boot ? &mounts_.boot : nullptr;
}

Unexpected Walk::refuse(Code code, std::string what) const {
  return fail(Error(code, std::move(what)).context(quoted(asked_)));
}

Result<FileSystem*> Walk::open(const Step& step) const {
  if (*step.mount) return (*step.mount)().context(quoted(asked_));
  if (step.mount == &mounts_.data) {
    return refuse(Code::not_found, "the image has no data partition");
  }
  return refuse(Code::not_found,
                "the image has no root file system that can be edited; only paths under /data can "
                "be reached");
}

Result<> Walk::make(const std::string& name) {
  const std::string path = below(spelled(), name);
  const std::optional<Attributes> attributes = policy_ ? policy_(path) : std::nullopt;
  if (!attributes) {
    return refuse(Code::not_found, fmt::format("the directory {} does not exist", quoted(path)));
  }
  const Step& at = stack_.back();
  FileSystem* file_system = IMPRINT_TRY(open(at));
  std::string inner = below(at.path, name);
  IMPRINT_TRY(file_system->make_directory(inner, *attributes)
                  .context(fmt::format("making {}", quoted(path))));
  stack_.push_back(Step{at.mount, std::move(inner), name});
  return {};
}

Result<> Walk::follow(const std::string& target) {
  if (++links_ > kMaxLinks) {
    return refuse(
        Code::invalid_input,
        fmt::format("more than {} symbolic links on the way: they go in circles", kMaxLinks));
  }
  if (target.starts_with('/')) stack_.resize(1);
  push_names(target);
  return {};
}

/// The boot partition does not depend on what the root says about /boot, which may not be readable.
bool Walk::enter_boot_mount(const std::string& name) {
  if (stack_.size() != 1 || ahead_.empty()) return false;
  const Mount* mount = mount_at(below("/" + name, ahead_.front()));
  if (mount == nullptr) return false;
  stack_.push_back(Step{&mounts_.root, "/" + name, name});
  stack_.push_back(Step{mount, "/", ahead_.front()});
  ahead_.pop_front();
  return true;
}

/// One name on from the top of the stack.
Result<> Walk::enter(const std::string& name) {
  if (name == ".") return {};
  if (name == "..") {
    if (stack_.size() > 1) stack_.pop_back();
    return {};
  }
  if (const Mount* mount = mount_at(below(spelled(), name))) {
    stack_.push_back(Step{mount, "/", name});
    return {};
  }
  if (enter_boot_mount(name)) return {};
  if (name.size() > 255) {
    return refuse(Code::invalid_input,
                  fmt::format("the name {} has {} bytes; a file name has at most 255", quoted(name),
                              name.size()));
  }
  const Step at = stack_.back();
  FileSystem* file_system = IMPRINT_TRY(open(at));
  const auto node = IMPRINT_TRY(file_system->find(below(at.path, name)).context(quoted(asked_)));
  if (node) return enter_found(at, name, *node);
  if (!ahead_.empty()) return make(name);
  missing_ = name;
  return {};
}

Result<> Walk::enter_found(const Step& at, const std::string& name, const NodeInfo& node) {
  const bool keep = ahead_.empty() && last_ == DeviceTree::LastLink::keep;
  if (node.type == NodeType::symlink && !keep) {
    FileSystem* file_system = IMPRINT_TRY(open(at));
    const std::string target =
        IMPRINT_TRY(file_system->read_link(below(at.path, name)).context(quoted(asked_)));
    return follow(target);
  }
  stack_.push_back(Step{at.mount, below(at.path, name), name});
  if (!ahead_.empty() && node.type != NodeType::directory) {
    return refuse(Code::invalid_input, fmt::format("{} is not a directory", quoted(spelled())));
  }
  return {};
}

Result<DeviceTree::Location> Walk::arrived() const {
  const Step& top = stack_.back();
  FileSystem* file_system = IMPRINT_TRY(open(top));
  if (missing_) {
    return DeviceTree::Location{
        .file_system = file_system, .path = below(top.path, *missing_), .node = std::nullopt};
  }
  auto node = IMPRINT_TRY(file_system->find(top.path).context(quoted(asked_)));
  return DeviceTree::Location{
      .file_system = file_system, .path = top.path, .node = std::move(node)};
}

Result<DeviceTree::Location> Walk::run() {
  if (!asked_.starts_with('/')) {
    return refuse(Code::invalid_input, "not an absolute path; it must begin with '/'");
  }
  if (asked_.find('\0') != std::string_view::npos) {
    return refuse(Code::invalid_input, "a path cannot hold a NUL character");
  }
  stack_.push_back(Step{&mounts_.root, "/", {}});
  push_names(asked_);
  while (!ahead_.empty()) {
    const std::string name = std::move(ahead_.front());
    ahead_.pop_front();
    IMPRINT_TRY(enter(name));
  }
  return arrived();
}

/// Directories that write_file makes: what Mender keeps under /data/mender is for root alone.
[[nodiscard]] std::optional<Attributes> default_directory(std::string_view path) {
  constexpr std::string_view kPrivate = "/data/mender";
  const bool is_private = path.starts_with(kPrivate) &&
                          (path.size() == kPrivate.size() || path[kPrivate.size()] == '/');
  return Attributes{.mode = is_private ? 0700U : 0755U};
}

/// A path must lead to something.
[[nodiscard]] Result<> check_exists(const DeviceTree::Location& location, std::string_view path) {
  if (location.node) return {};
  return fail(Code::not_found, fmt::format("{} does not exist", quoted(path)));
}

}  // namespace

Result<DeviceTree::Location> DeviceTree::resolve(std::string_view absolute_path,
                                                 const Attributes* make_missing, LastLink last) {
  const MakePolicy policy = [make_missing](std::string_view /*path*/) {
    return make_missing == nullptr ? std::nullopt : std::optional<Attributes>(*make_missing);
  };
  return Walk(mounts_, policy, last, absolute_path).run();
}

Result<bool> DeviceTree::exists(std::string_view absolute_path) {
  const Result<Location> location = resolve(absolute_path);
  if (!location && location.error().code == Code::not_found) return false;
  if (!location) return fail(location.error());
  return location->node.has_value();
}

Result<NodeInfo> DeviceTree::stat(std::string_view absolute_path) {
  const Location location = IMPRINT_TRY(resolve(absolute_path));
  IMPRINT_TRY(check_exists(location, absolute_path));
  return *location.node;
}

Result<crypto::WipedBytes> DeviceTree::read_file(std::string_view absolute_path,
                                                 std::uint64_t limit_bytes) {
  const Location location = IMPRINT_TRY(resolve(absolute_path));
  IMPRINT_TRY(check_exists(location, absolute_path));
  return location.file_system->read_whole(location.path, limit_bytes)
      .context(quoted(absolute_path));
}

Result<DeviceTree::Location> DeviceTree::write_file(std::string_view absolute_path,
                                                    const Content& content,
                                                    const Attributes& attributes) {
  const MakePolicy policy = default_directory;
  Location location = IMPRINT_TRY(Walk(mounts_, policy, LastLink::follow, absolute_path).run());
  if (location.is_root()) {
    return fail(Code::exists, fmt::format("{} is a directory", quoted(absolute_path)));
  }
  IMPRINT_TRY(location.file_system->write_file(location.path, content, attributes)
                  .context(fmt::format("writing {}", quoted(absolute_path))));
  location.node = IMPRINT_TRY(location.file_system->find(location.path));
  return location;
}

Result<DeviceTree::Location> DeviceTree::write_file(std::string_view absolute_path,
                                                    ByteView content,
                                                    const Attributes& attributes) {
  return write_file(absolute_path, MemoryContent(content), attributes);
}

}  // namespace imprint::image
