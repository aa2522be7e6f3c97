// Paths as the device will see them.
//
// A path is walked name by name with a stack of the directories passed through, so that `..` after
// a symbolic link means what it means to the kernel, and can never climb above the root. The data
// volume is entered where the root has the name `data`, whatever the root volume has there: the
// device mounts over it. The names on the stack always spell a path without links; mount points
// that are not ours are recognised by it.

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

/// Where the boot partition is mounted on one Mender board or another: a vfat, and not on our
/// volumes.
constexpr std::array<std::string_view, 4> kBootMounts{"/boot/efi", "/boot/firmware", "/boot/grub",
                                                      "/uboot"};

/// A directory (or, as the last one, any node) that the walk has reached.
struct Step {
  Volume* volume = nullptr;  // null: the root of a tree without a root volume
  InodeNumber inode = 0;
  std::string name;  // empty for the root
};

/// Says what a missing directory is made with, by its link-free path; none: it is not made.
using MakePolicy = std::function<std::optional<Attributes>(std::string_view path)>;

class Walk {
 public:
  Walk(Volume* root, Volume* data, const MakePolicy& policy, std::string_view path)
      : root_(root),
        data_(data),
        policy_(policy),
        asked_(path) {}

  Result<DeviceTree::Location> run();

 private:
  void push_names(std::string_view path);
  [[nodiscard]] std::string spelled() const;
  [[nodiscard]] Unexpected refuse(Code code, std::string what) const;
  Result<> enter(const std::string& name);
  Result<> follow(const std::string& target);
  Result<> make(const std::string& name);
  Result<> refuse_boot_mount(const std::string& name) const;
  [[nodiscard]] DeviceTree::Location arrived() const;

  Volume* root_;
  Volume* data_;
  const MakePolicy& policy_;
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

Unexpected Walk::refuse(Code code, std::string what) const {
  return fail(Error(code, std::move(what)).context(quoted(asked_)));
}

Result<> Walk::refuse_boot_mount(const std::string& name) const {
  if (stack_.back().volume == data_ && data_ != nullptr) return {};
  const std::string path = (stack_.size() == 1 ? "" : spelled()) + "/" + name;
  for (const std::string_view mount : kBootMounts) {
    if (path == mount) {
      return refuse(Code::unsupported,
                    fmt::format("{} is where the boot partition is mounted; only files of the root "
                                "and data file systems can be reached",
                                quoted(path)));
    }
  }
  return {};
}

Result<> Walk::make(const std::string& name) {
  const std::string path = (stack_.size() == 1 ? "" : spelled()) + "/" + name;
  const std::optional<Attributes> attributes = policy_ ? policy_(path) : std::nullopt;
  if (!attributes) {
    return refuse(Code::not_found, fmt::format("the directory {} does not exist", quoted(path)));
  }
  const Step& at = stack_.back();
  Result<InodeNumber> made = at.volume->make_directory(at.inode, name, *attributes);
  if (!made) return fail(std::move(made.error()).context(fmt::format("making {}", quoted(path))));
  stack_.push_back(Step{at.volume, *made, name});
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

/// One name on from the top of the stack.
Result<> Walk::enter(const std::string& name) {
  if (name == ".") return {};
  if (name == "..") {
    if (stack_.size() > 1) stack_.pop_back();
    return {};
  }
  if (stack_.size() == 1 && name == "data") {
    if (data_ == nullptr) return refuse(Code::not_found, "the image has no data partition");
    stack_.push_back(Step{data_, kRootInode, name});
    return {};
  }
  IMPRINT_TRY(refuse_boot_mount(name));
  const Step at = stack_.back();
  if (at.volume == nullptr) {
    return refuse(
        Code::not_found,
        "the image has no root file system that can be edited; only paths under /data can "
        "be reached");
  }
  if (name.size() > 255) {
    return refuse(Code::invalid_input,
                  fmt::format("the name {} has {} bytes; a file name has at most 255", quoted(name),
                              name.size()));
  }

  const std::optional<InodeNumber> found =
      IMPRINT_TRY(at.volume->lookup(at.inode, name).context(quoted(asked_)));
  if (!found) {
    if (!ahead_.empty()) return make(name);
    missing_ = name;
    return {};
  }
  const NodeInfo node = IMPRINT_TRY(at.volume->stat(*found).context(quoted(asked_)));
  if (node.type == NodeType::symlink) {
    return follow(IMPRINT_TRY(at.volume->read_link(*found).context(quoted(asked_))));
  }
  stack_.push_back(Step{at.volume, *found, name});
  if (!ahead_.empty() && node.type != NodeType::directory) {
    return refuse(Code::invalid_input, fmt::format("{} is not a directory", quoted(spelled())));
  }
  return {};
}

DeviceTree::Location Walk::arrived() const {
  const Step& top = stack_.back();
  if (missing_) {
    return {.volume = top.volume, .directory = top.inode, .name = *missing_, .node = std::nullopt};
  }
  const bool top_of_volume = stack_.size() == 1 || stack_[stack_.size() - 2].volume != top.volume;
  return {.volume = top.volume,
          .directory = top_of_volume ? top.inode : stack_[stack_.size() - 2].inode,
          .name = top_of_volume ? std::string() : top.name,
          .node = top.inode};
}

Result<DeviceTree::Location> Walk::run() {
  if (!asked_.starts_with('/')) {
    return refuse(Code::invalid_input, "not an absolute path; it must begin with '/'");
  }
  if (asked_.find('\0') != std::string_view::npos) {
    return refuse(Code::invalid_input, "a path cannot hold a NUL character");
  }
  stack_.push_back(Step{root_, kRootInode, {}});
  push_names(asked_);
  while (!ahead_.empty()) {
    const std::string name = std::move(ahead_.front());
    ahead_.pop_front();
    IMPRINT_TRY(enter(name));
  }
  if (stack_.back().volume == nullptr) {
    return refuse(
        Code::not_found,
        "the image has no root file system that can be edited; only paths under /data can "
        "be reached");
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

/// The node a path must lead to.
[[nodiscard]] Result<InodeNumber> existing(const DeviceTree::Location& location,
                                           std::string_view path) {
  if (!location.node) return fail(Code::not_found, fmt::format("{} does not exist", quoted(path)));
  return *location.node;
}

}  // namespace

Result<DeviceTree::Location> DeviceTree::resolve(std::string_view absolute_path,
                                                 const Attributes* make_missing) {
  const MakePolicy policy = [make_missing](std::string_view /*path*/) {
    return make_missing == nullptr ? std::nullopt : std::optional<Attributes>(*make_missing);
  };
  return Walk(root_, data_, policy, absolute_path).run();
}

Result<bool> DeviceTree::exists(std::string_view absolute_path) {
  const Result<Location> location = resolve(absolute_path);
  if (!location && location.error().code == Code::not_found) return false;
  if (!location) return fail(location.error());
  return location->node.has_value();
}

Result<NodeInfo> DeviceTree::stat(std::string_view absolute_path) {
  const Location location = IMPRINT_TRY(resolve(absolute_path));
  const InodeNumber node = IMPRINT_TRY(existing(location, absolute_path));
  return location.volume->stat(node).context(quoted(absolute_path));
}

Result<crypto::WipedBytes> DeviceTree::read_file(std::string_view absolute_path,
                                                 std::uint64_t limit_bytes) {
  const Location location = IMPRINT_TRY(resolve(absolute_path));
  const InodeNumber node = IMPRINT_TRY(existing(location, absolute_path));
  return location.volume->read_file(node, limit_bytes).context(quoted(absolute_path));
}

Result<DeviceTree::Location> DeviceTree::write_file(std::string_view absolute_path,
                                                    ByteView content, Attributes attributes) {
  const MakePolicy policy = default_directory;
  Location location = IMPRINT_TRY(Walk(root_, data_, policy, absolute_path).run());
  if (location.name.empty()) {
    return fail(Code::exists, fmt::format("{} is a directory", quoted(absolute_path)));
  }
  location.node = IMPRINT_TRY(
      location.volume->write_file(location.directory, location.name, content, attributes)
          .context(fmt::format("writing {}", quoted(absolute_path))));
  return location;
}

}  // namespace imprint::image
