// A file system in the appliance, by libguestfs's own calls: paths below a mount point, content in
// pieces through memory. Nothing is written to a temporary file, in the appliance or outside.
//
// Replacing a file removes the old one first. That is no worse than renaming over it: all edits go
// to a copy of the image that is thrown away unless commit() succeeds.

#include "guest_file_system.hpp"

#include <algorithm>
#include <sys/stat.h>

#include <fmt/format.h>

#include "imprint/base/text.hpp"

namespace imprint::guestfs {

namespace {

using image::NodeInfo;
using image::NodeType;

/// libguestfs's messages hold less than 4 MiB.
constexpr std::size_t kPieceBytes = std::size_t{2} << 20;
/// Zeros in pieces of this size are left out when a file is read.
constexpr std::size_t kHoleBytes = 4096;
/// What directories, inodes and trees may take beside a file's content.
constexpr std::uint64_t kMetadataBytes = 64 << 10;

/// Frees what libguestfs has allocated for a struct.
template <class T>
using Freed = std::unique_ptr<T, void (*)(T*)>;

[[nodiscard]] NodeType type_of(std::int64_t mode) noexcept {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return NodeType::file;
    case S_IFDIR:
      return NodeType::directory;
    case S_IFLNK:
      return NodeType::symlink;
    default:
      return NodeType::other;
  }
}

[[nodiscard]] TimePoint at(std::int64_t seconds) {
  return TimePoint(std::chrono::seconds(seconds));
}

[[nodiscard]] NodeInfo info_of(const abi::Statns& stat) {
  constexpr std::int64_t kLargest = 0xFFFFFFFF;
  return {.inode = stat.ino > kLargest ? 0 : static_cast<image::InodeNumber>(stat.ino),
          .type = type_of(stat.mode),
          .mode = static_cast<unsigned>(stat.mode & 07777),
          .uid = static_cast<unsigned>(stat.uid),
          .gid = static_cast<unsigned>(stat.gid),
          .size_bytes = static_cast<std::uint64_t>(stat.size),
          .links = static_cast<unsigned>(stat.nlink),
          .modified = at(stat.mtime_sec),
          .accessed = at(stat.atime_sec),
          .changed = at(stat.ctime_sec)};
}

[[nodiscard]] Unexpected missing(std::string_view path) {
  return fail(Code::not_found, fmt::format("{} does not exist", quoted(path)));
}

[[nodiscard]] Result<> give(const image::ContentSink& sink, std::uint64_t offset, ByteView bytes) {
  while (!bytes.empty()) {
    std::size_t data = 0;  // up to the next hole
    while (data < bytes.size()) {
      const ByteView part = bytes.subspan(data, std::min(kHoleBytes, bytes.size() - data));
      if (std::ranges::all_of(part, [](std::byte b) { return b == std::byte{0}; })) break;
      data += part.size();
    }
    if (data > 0) IMPRINT_TRY(sink(offset, bytes.first(data)));
    const std::size_t done = std::min(bytes.size(), data + kHoleBytes);
    offset += done;
    bytes = bytes.subspan(done);
  }
  return {};
}

}  // namespace

GuestFileSystem::~GuestFileSystem() {
  if (!committed_) session_.abandon(mount_);
}

Result<std::string> GuestFileSystem::inside(std::string_view path) const {
  if (path.find('\0') != std::string_view::npos) {
    return fail(Code::invalid_input, fmt::format("{} has a NUL byte", quoted(path)));
  }
  std::string full = mount_.directory;
  full += path;
  while (full.ends_with('/'))
    full.pop_back();
  return full;
}

template <class Call>
Result<> GuestFileSystem::call(std::string_view path, Call function) {
  if (session_.handle().run(function) == 0) return {};
  return fail(session_.handle().error().context(quoted(path)));
}

Result<> GuestFileSystem::edited(Result<> result) {
  if (!result) broken_ = true;
  return result;
}

Result<> GuestFileSystem::writable() const {
  if (committed_) return fail(Code::internal, "the file system has been committed");
  if (mount_.read_only) return fail(Code::internal, "the file system was opened for reading only");
  if (broken_) return fail(Code::internal, "an earlier edit failed half-way");
  return {};
}

Result<std::optional<NodeInfo>> GuestFileSystem::find(std::string_view path) {
  const std::string full = IMPRINT_TRY(inside(path));
  const Library& api = session_.handle().api();
  const Freed<guestfs_statns> stat(session_.handle().run([&](const Library& a, guestfs_h* g) {
    return a.lstatns(g, full.c_str());
  }),
                                   api.free_statns);
  if (stat) return std::optional(info_of(*reinterpret_cast<const abi::Statns*>(stat.get())));
  Error error = session_.handle().error();
  if (error.code == Code::not_found) return std::optional<NodeInfo>();
  return fail(std::move(error).context(quoted(path)));
}

Result<NodeInfo> GuestFileSystem::existing(std::string_view path) {
  const auto node = IMPRINT_TRY(find(path));
  if (!node) return missing(path);
  return *node;
}

Result<std::vector<std::string>> GuestFileSystem::list(std::string_view path) {
  const std::string full = IMPRINT_TRY(inside(path));
  const Library& api = session_.handle().api();
  const Freed<guestfs_dirent_list> entries(
      session_.handle().run(
          [&](const Library& a, guestfs_h* g) { return a.readdir(g, full.c_str()); }),
      api.free_dirent_list);
  if (!entries) return fail(session_.handle().error().context(quoted(path)));
  const auto& list = *reinterpret_cast<const abi::DirentList*>(entries.get());
  std::vector<std::string> names;
  for (std::uint32_t i = 0; i < list.size; ++i) {
    const std::string_view name = list.items[i].name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  std::ranges::sort(names);
  return names;
}

Result<std::string> GuestFileSystem::read_link(std::string_view path) {
  const std::string full = IMPRINT_TRY(inside(path));
  const CString target(session_.handle().run(
      [&](const Library& a, guestfs_h* g) { return a.readlink(g, full.c_str()); }));
  if (!target) return fail(session_.handle().error().context(quoted(path)));
  return std::string(target.get());
}

Result<> GuestFileSystem::read(std::string_view path, const image::ContentSink& sink) {
  const NodeInfo node = IMPRINT_TRY(existing(path));
  if (node.type != NodeType::file) {
    return fail(Code::invalid_input, fmt::format("{} is not a regular file", quoted(path)));
  }
  const std::string full = IMPRINT_TRY(inside(path));
  for (std::uint64_t offset = 0; offset < node.size_bytes;) {
    const std::size_t wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(kPieceBytes, node.size_bytes - offset));
    std::size_t got = 0;
    const CString piece(session_.handle().run([&](const Library& a, guestfs_h* g) {
      return a.pread(g, full.c_str(), static_cast<int>(wanted), static_cast<std::int64_t>(offset),
                     &got);
    }));
    if (!piece) return fail(session_.handle().error().context(quoted(path)));
    if (got == 0) return fail(Code::corrupt, fmt::format("{} ends early", quoted(path)));
    const Result<> taken = give(sink, offset, std::as_bytes(std::span(piece.get(), got)));
    crypto::wipe(piece.get(), got);
    if (!taken) return taken;
    offset += got;
  }
  return {};
}

Result<std::vector<image::ExtendedAttribute>> GuestFileSystem::extended_attributes(
    std::string_view path) {
  const std::string full = IMPRINT_TRY(inside(path));
  const Library& api = session_.handle().api();
  const Freed<guestfs_xattr_list> got(session_.handle().run([&](const Library& a, guestfs_h* g) {
    return a.lgetxattrs(g, full.c_str());
  }),
                                      api.free_xattr_list);
  std::vector<image::ExtendedAttribute> attributes;
  if (!got) {
    Error error = session_.handle().error();
    if (error.code == Code::unsupported) return attributes;  // FAT
    return fail(std::move(error).context(quoted(path)));
  }
  const auto& list = *reinterpret_cast<const abi::XattrList*>(got.get());
  for (std::uint32_t i = 0; i < list.size; ++i) {
    const abi::Xattr& item = list.items[i];
    const auto value = std::as_bytes(std::span(item.value, item.value_size));
    attributes.push_back({item.name, Bytes(value.begin(), value.end())});
  }
  return attributes;
}

Result<std::optional<NodeInfo>> GuestFileSystem::place_for(std::string_view path) {
  IMPRINT_TRY(writable());
  const std::size_t slash = path.rfind('/');
  const std::string_view directory = path.substr(0, std::max<std::size_t>(slash, 1));
  const NodeInfo parent = IMPRINT_TRY(existing(directory));
  if (parent.type != NodeType::directory) {
    return fail(Code::not_found, fmt::format("{} is not a directory", quoted(directory)));
  }
  return find(path);
}

Result<> GuestFileSystem::check_room(std::uint64_t data_bytes) {
  const Library& api = session_.handle().api();
  const Freed<guestfs_statvfs> stat(session_.handle().run([&](const Library& a, guestfs_h* g) {
    return a.statvfs(g, mount_.directory.c_str());
  }),
                                    api.free_statvfs);
  if (!stat) return fail(session_.handle().error());
  const auto& room = *reinterpret_cast<const abi::Statvfs*>(stat.get());
  const auto free_bytes = static_cast<std::uint64_t>(room.bavail * room.frsize);
  if (data_bytes + kMetadataBytes <= free_bytes) return {};
  return fail(Code::image_full,
              fmt::format("the {} file system has {} KiB free, and {} are needed", mount_.kind,
                          free_bytes >> 10, (data_bytes + kMetadataBytes) >> 10));
}

Result<> GuestFileSystem::set_time(const std::string& path, TimePoint time, NodeType type) {
  const std::int64_t seconds = time.time_since_epoch().count();
  if (type != NodeType::symlink) {
    return call(path, [&](const Library& a, guestfs_h* g) {
      return a.utimens(g, path.c_str(), seconds, 0, seconds, 0);
    });
  }
  // There is no call that does not follow links.
  IMPRINT_TRY(session_.handle().shell(
      fmt::format("touch -h -d @{} /sysroot{}", seconds, shell_word(path))));
  return {};
}

Result<> GuestFileSystem::set_owner_mode_time(const std::string& path,
                                              const image::Attributes& attributes, NodeType type) {
  if (has_owners()) {
    // Owner first: a change of it takes the set-id bits away.
    IMPRINT_TRY(call(path, [&](const Library& a, guestfs_h* g) {
      return a.lchown(g, static_cast<int>(attributes.uid), static_cast<int>(attributes.gid),
                      path.c_str());
    }));
    if (type != NodeType::symlink) {
      IMPRINT_TRY(call(path, [&](const Library& a, guestfs_h* g) {
        return a.chmod(g, static_cast<int>(attributes.mode & 07777), path.c_str());
      }));
    }
  }
  if (attributes.modified) IMPRINT_TRY(set_time(path, *attributes.modified, type));
  return {};
}

Result<> GuestFileSystem::make_directory(std::string_view path,
                                         const image::Attributes& attributes) {
  const auto there = IMPRINT_TRY(place_for(path));
  if (there) return fail(Code::exists, fmt::format("{} exists already", quoted(path)));
  IMPRINT_TRY(check_room(0));
  const std::string full = IMPRINT_TRY(inside(path));
  IMPRINT_TRY(
      edited(call(path, [&](const Library& a, guestfs_h* g) { return a.mkdir(g, full.c_str()); })));
  return edited(set_owner_mode_time(full, attributes, NodeType::directory));
}

Result<> GuestFileSystem::fill(const std::string& path, const image::Content& content) {
  const auto ranges = IMPRINT_TRY(content.data_ranges());
  IMPRINT_TRY(call(path, [&](const Library& a, guestfs_h* g) {
    return a.truncate_size(g, path.c_str(), static_cast<std::int64_t>(content.size_bytes()));
  }));
  crypto::WipedBytes buffer;
  for (const image::DataRange& range : ranges) {
    for (std::uint64_t done = 0; done < range.length_bytes;) {
      const std::uint64_t offset = range.offset + done;
      buffer.resize(static_cast<std::size_t>(
          std::min<std::uint64_t>(kPieceBytes, range.length_bytes - done)));
      IMPRINT_TRY(content.read(offset, buffer));
      const int written = session_.handle().run([&](const Library& a, guestfs_h* g) {
        return a.pwrite(g, path.c_str(), reinterpret_cast<const char*>(buffer.data()),
                        buffer.size(), static_cast<std::int64_t>(offset));
      });
      if (written < 0) return fail(session_.handle().error());
      if (written == 0) return fail(Code::io, "nothing more can be written");
      done += static_cast<std::uint64_t>(written);
    }
  }
  return {};
}

Result<> GuestFileSystem::write_file(std::string_view path, const image::Content& content,
                                     const image::Attributes& attributes) {
  const auto there = IMPRINT_TRY(place_for(path));
  if (there && there->type != NodeType::file) {
    return fail(Code::exists, fmt::format("{} exists and is no regular file", quoted(path)));
  }
  std::uint64_t data_bytes = 0;
  const auto ranges = IMPRINT_TRY(content.data_ranges());
  for (const image::DataRange& range : ranges)
    data_bytes += range.length_bytes;
  IMPRINT_TRY(check_room(data_bytes));
  std::vector<image::ExtendedAttribute> carried;
  if (there) carried = IMPRINT_TRY(extended_attributes(path));
  std::erase_if(carried, [](const image::ExtendedAttribute& attribute) {
    return image::is_bound_to_content(attribute.name);
  });

  const std::string full = IMPRINT_TRY(inside(path));
  if (there) {
    IMPRINT_TRY(
        edited(call(path, [&](const Library& a, guestfs_h* g) { return a.rm(g, full.c_str()); })));
    freed_ = true;
  }
  IMPRINT_TRY(
      edited(call(path, [&](const Library& a, guestfs_h* g) { return a.touch(g, full.c_str()); })));
  IMPRINT_TRY(edited(fill(full, content).context(quoted(path))));
  for (const image::ExtendedAttribute& attribute : carried)
    IMPRINT_TRY(set_extended_attribute(path, attribute.name, attribute.value));
  return edited(set_owner_mode_time(full, attributes, NodeType::file));
}

Result<> GuestFileSystem::make_symlink(std::string_view path, std::string_view target,
                                       const image::Attributes& attributes) {
  const auto there = IMPRINT_TRY(place_for(path));
  if (there) return fail(Code::exists, fmt::format("{} exists already", quoted(path)));
  if (target.empty() || target.find('\0') != std::string_view::npos) {
    return fail(Code::invalid_input, "a symbolic link cannot lead there");
  }
  if (!has_owners()) {
    return fail(Code::unsupported,
                fmt::format("{}: {} has no symbolic links", quoted(path), mount_.kind));
  }
  IMPRINT_TRY(check_room(0));
  const std::string full = IMPRINT_TRY(inside(path));
  const std::string to(target);
  IMPRINT_TRY(edited(call(
      path, [&](const Library& a, guestfs_h* g) { return a.ln_s(g, to.c_str(), full.c_str()); })));
  return edited(set_owner_mode_time(full, attributes, NodeType::symlink));
}

Result<> GuestFileSystem::remove(std::string_view path) {
  IMPRINT_TRY(writable());
  const NodeInfo node = IMPRINT_TRY(existing(path));
  const bool is_directory = node.type == NodeType::directory;
  if (is_directory) {
    const auto names = IMPRINT_TRY(list(path));
    if (!names.empty())
      return fail(Code::exists, fmt::format("the directory {} is not empty", quoted(path)));
  }
  const std::string full = IMPRINT_TRY(inside(path));
  freed_ = true;
  return edited(call(path, [&](const Library& a, guestfs_h* g) {
    return is_directory ? a.rmdir(g, full.c_str()) : a.rm(g, full.c_str());
  }));
}

Result<> GuestFileSystem::change_attributes(std::string_view path,
                                            const image::AttributeChange& change) {
  IMPRINT_TRY(writable());
  const NodeInfo node = IMPRINT_TRY(existing(path));
  const std::string full = IMPRINT_TRY(inside(path));
  const bool is_link = node.type == NodeType::symlink;
  if (change.mode && is_link) {
    return fail(Code::unsupported,
                fmt::format("{}: Linux changes no mode of a symbolic link", quoted(path)));
  }
  if ((change.uid || change.gid) && has_owners()) {
    IMPRINT_TRY(edited(call(path, [&](const Library& a, guestfs_h* g) {
      return a.lchown(g, static_cast<int>(change.uid.value_or(node.uid)),
                      static_cast<int>(change.gid.value_or(node.gid)), full.c_str());
    })));
  }
  // A change of the owner takes the set-id bits away, so the mode is set in any case.
  if (has_owners() && !is_link) {
    IMPRINT_TRY(edited(call(path, [&](const Library& a, guestfs_h* g) {
      return a.chmod(g, static_cast<int>(change.mode.value_or(node.mode) & 07777), full.c_str());
    })));
  }
  if (change.modified) IMPRINT_TRY(edited(set_time(full, *change.modified, node.type)));
  return {};
}

Result<> GuestFileSystem::set_extended_attribute(std::string_view path, const std::string& name,
                                                 std::optional<ByteView> value) {
  IMPRINT_TRY(writable());
  const std::string full = IMPRINT_TRY(inside(path));
  return edited(call(path, [&](const Library& a, guestfs_h* g) {
    if (!value) return a.lremovexattr(g, name.c_str(), full.c_str());
    return a.lsetxattr(g, name.c_str(), reinterpret_cast<const char*>(value->data()),
                       static_cast<int>(value->size()), full.c_str());
  }));
}

Result<> GuestFileSystem::commit() {
  if (!mount_.read_only) IMPRINT_TRY(writable());
  committed_ = true;
  return session_.unmount(mount_, freed_);
}

}  // namespace imprint::guestfs
