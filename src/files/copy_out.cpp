// From an image onto this machine. What an image holds is not to be trusted: a damaged or malicious
// directory may have names such as `..` or `a/b`, and links may point anywhere. So everything of a
// directory is made below a new directory of a random name, names are checked, and nothing is ever
// opened through a link of the image's.

#include <algorithm>
#include <fcntl.h>
#include <random>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "entry_name.hpp"
#include "imprint/base/text.hpp"
#include "imprint/files/copy.hpp"

namespace imprint::files {
namespace {

using image::NodeInfo;
using image::NodeType;

constexpr unsigned kPlainBits = 0777;

Result<> write_content(Source& source, const std::string& path, const NodeInfo& node, File& file) {
  const auto content = IMPRINT_TRY(source.content(path).context(quoted(source.described())));
  const auto ranges = IMPRINT_TRY(content->data_ranges());
  constexpr std::uint64_t kPieceBytes = 1U << 20;
  crypto::WipedBytes piece;
  for (const image::DataRange& range : ranges) {
    for (std::uint64_t done = 0; done < range.length_bytes; done += piece.size()) {
      piece.resize(static_cast<std::size_t>(std::min(kPieceBytes, range.length_bytes - done)));
      IMPRINT_TRY(content->read(range.offset + done, piece));
      IMPRINT_TRY(file.write_all(range.offset + done, piece));
    }
  }
  return file.resize(node.size_bytes);
}

/// Owner first: changing it drops the set-user-id bit.
Result<> preserve(const fs::path& path, const NodeInfo& node) {
  const std::string name = quoted(path.native());
  const bool keeps_owner = ::geteuid() == 0;
  if (keeps_owner && ::lchown(path.c_str(), node.uid, node.gid) != 0) {
    return fail(system_error("the owner of " + name));
  }
  if (node.type == NodeType::symlink) return {};
  // Set-user-id is of the owner in the image; whoever copies must not lend out their own rights.
  const unsigned mode = keeps_owner ? node.mode : node.mode & kPlainBits;
  if (::chmod(path.c_str(), mode) != 0) return fail(system_error("the mode of " + name));
  const timespec modified{.tv_sec = node.modified.time_since_epoch().count(), .tv_nsec = 0};
  const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, modified};
  if (::utimensat(AT_FDCWD, path.c_str(), times, 0) != 0) {
    return fail(system_error("the time of " + name));
  }
  return {};
}

/// Where a link leads, as for cp(1): publishing by name would replace the link itself.
Result<fs::path> behind_links(const fs::path& target) {
  std::error_code error;
  if (!fs::is_symlink(fs::symlink_status(target, error))) return target;
  const fs::path real = fs::canonical(target, error);
  if (!error) return real;
  return fail(Code::invalid_input,
              fmt::format("{} is a symbolic link to nothing that could be written to; remove it, "
                          "or name the file itself",
                          quoted(target.native())));
}

/// `.etc.1f3a…` beside `etc`.
[[nodiscard]] fs::path temporary_beside(const fs::path& target) {
  std::random_device random;
  const fs::path name =
      fmt::format(".{}.{:08x}{:08x}.tmp", target.filename().native(), random(), random());
  return target.parent_path() / name;
}

}  // namespace

CopyOut::~CopyOut() {
  for (const Directory& directory : directories_) {
    std::error_code ignored;  // nothing can be done about it here
    fs::remove_all(directory.temporary, ignored);
  }
}

Result<> CopyOut::add(Source& source, const fs::path& destination, const CopyOptions& options) {
  fs::path target = destination;
  std::error_code unknown;
  if (!destination.has_filename() || fs::is_directory(destination, unknown)) {
    target = destination / source.name();
  }
  const NodeInfo node = IMPRINT_TRY(source.stat({}).context(quoted(source.described())));
  if (node.type == NodeType::file) return add_file(source, target, options);
  if (node.type != NodeType::directory) {
    return fail(Code::unsupported,
                fmt::format("{} is a device, a socket or a pipe", quoted(source.described())));
  }
  if (!options.recursive) {
    return fail(Code::invalid_input,
                fmt::format("{} is a directory; -r copies it with everything in it",
                            quoted(source.described())));
  }
  return add_directory(source, target, options);
}

Result<> CopyOut::add_file(Source& source, const fs::path& asked, const CopyOptions& options) {
  const NodeInfo node = IMPRINT_TRY(source.stat({}));
  std::error_code unknown;
  if (fs::is_directory(asked, unknown)) {
    return fail(Code::exists, fmt::format("{} is a directory", quoted(asked.native())));
  }
  const bool is_stream = fs::exists(asked, unknown) && !fs::is_regular_file(asked, unknown);
  if (is_stream) {
    return fail(Code::invalid_input,
                fmt::format("{} is not a regular file; - writes to standard output",
                            quoted(asked.native())));
  }
  const fs::path target = IMPRINT_TRY(behind_links(asked));
  const unsigned mode = options.wanted.mode.value_or(node.mode & kPlainBits);
  NewFile file = IMPRINT_TRY(NewFile::beside(target, mode));
  IMPRINT_TRY(write_content(source, {}, node, file.file()));
  if (options.preserve) IMPRINT_TRY(preserve(file.temporary_path(), node));
  files_.push_back(std::move(file));
  return {};
}

Result<> CopyOut::add_directory(Source& source, const fs::path& target,
                                const CopyOptions& options) {
  std::error_code error;
  if (fs::exists(fs::symlink_status(target, error))) {
    return fail(Code::exists,
                fmt::format("{} exists already; directories are copied to where nothing is yet",
                            quoted(target.native())));
  }
  const Directory directory{.temporary = temporary_beside(target), .target = target};
  fs::create_directory(directory.temporary, error);
  if (error) return fail(system_error("making " + quoted(target.native()), error.value()));
  directories_.push_back(directory);
  return fill(source, {}, directory.temporary, options);
}

Result<> CopyOut::fill(Source& source, const std::string& path, const fs::path& into,
                       const CopyOptions& options) {
  const auto names = IMPRINT_TRY(source.list(path));
  for (const std::string& name : names) {
    IMPRINT_TRY(check_entry_name(name, source));
    const std::string inner = path.empty() ? name : path + "/" + name;
    const fs::path at = into / name;
    const NodeInfo node = IMPRINT_TRY(source.stat(inner));
    std::error_code error;
    if (node.type == NodeType::directory) {
      fs::create_directory(at, error);
      if (!error) IMPRINT_TRY(fill(source, inner, at, options));
    } else if (node.type == NodeType::symlink) {
      fs::create_symlink(IMPRINT_TRY(source.read_link(inner)), at, error);
    } else if (node.type == NodeType::file) {
      File file =
          IMPRINT_TRY(File::create_new(at, options.wanted.mode.value_or(node.mode & kPlainBits)));
      IMPRINT_TRY(write_content(source, inner, node, file));
    } else {
      notes_.push_back(fmt::format("{}/{} is a device, a socket or a pipe: left out",
                                   source.described(), inner));
      continue;
    }
    if (error) return fail(system_error("making " + quoted(at.native()), error.value()));
    if (options.preserve) IMPRINT_TRY(preserve(at, node));
  }
  if (options.preserve) return preserve(into, IMPRINT_TRY(source.stat(path)));
  return {};
}

Result<> CopyOut::publish() {
  for (NewFile& file : files_)
    IMPRINT_TRY(file.publish_synced());
  files_.clear();
  for (const Directory& directory : directories_) {
    std::error_code error;
    fs::rename(directory.temporary, directory.target, error);
    if (error) {
      return fail(system_error("naming " + quoted(directory.target.native()), error.value()));
    }
  }
  directories_.clear();
  return {};
}

}  // namespace imprint::files
