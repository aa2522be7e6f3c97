#include <algorithm>
#include <array>
#include <cerrno>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "imprint/files/source.hpp"

namespace imprint::files {
namespace {

[[nodiscard]] TimePoint time_of(const timespec& time) {
  return TimePoint(std::chrono::seconds(time.tv_sec));
}

[[nodiscard]] image::NodeType type_of(mode_t mode) noexcept {
  if (S_ISREG(mode)) return image::NodeType::file;
  if (S_ISDIR(mode)) return image::NodeType::directory;
  if (S_ISLNK(mode)) return image::NodeType::symlink;
  return image::NodeType::other;
}

/// An open file of this machine as content.
class HostContent final : public image::Content {
 public:
  static Result<std::unique_ptr<image::Content>> open(const fs::path& path) {
    File file = IMPRINT_TRY(File::open_read(path));
    std::unique_ptr<HostContent> content(new HostContent(std::move(file)));
    content->content_ = IMPRINT_TRY(image::FileContent::of(content->file_));
    return std::unique_ptr<image::Content>(std::move(content));
  }

  [[nodiscard]] std::uint64_t size_bytes() const noexcept override {
    return content_->size_bytes();
  }

  [[nodiscard]] Result<std::vector<image::DataRange>> data_ranges() const override {
    return content_->data_ranges();
  }

  [[nodiscard]] Result<> read(std::uint64_t offset, MutableBytes into) const override {
    return content_->read(offset, into);
  }

 private:
  explicit HostContent(File file) : file_(std::move(file)) {}

  File file_;
  std::optional<image::FileContent> content_;
};

class HostSource final : public Source {
 public:
  explicit HostSource(fs::path base) : base_(std::move(base)) {}

  [[nodiscard]] std::string described() const override { return base_.native(); }

  [[nodiscard]] std::string name() const override {
    // `dir/`, `.` and `..` are named by what they lead to.
    std::error_code unresolved;
    const bool plain = base_.has_filename() && base_.filename() != "." && base_.filename() != "..";
    return (plain ? base_ : fs::canonical(base_, unresolved)).filename().native();
  }

  [[nodiscard]] Result<image::NodeInfo> stat(const std::string& path) override {
    struct stat info {};

    const fs::path at = path.empty() ? base_ : base_ / path;
    const int status = path.empty() ? ::stat(at.c_str(), &info) : ::lstat(at.c_str(), &info);
    if (status != 0) return fail(system_error(quoted(at.native())));
    return image::NodeInfo{.inode = 0,
                           .type = type_of(info.st_mode),
                           .mode = info.st_mode & 07777U,
                           .uid = info.st_uid,
                           .gid = info.st_gid,
                           .size_bytes = static_cast<std::uint64_t>(info.st_size),
                           .links = static_cast<unsigned>(info.st_nlink),
                           .modified = time_of(info.st_mtim),
                           .accessed = time_of(info.st_atim),
                           .changed = time_of(info.st_ctim)};
  }

  [[nodiscard]] Result<std::vector<std::string>> list(const std::string& path) override {
    std::error_code error;
    std::vector<std::string> names;
    for (fs::directory_iterator at(base_ / path, error), end; !error && at != end;
         at.increment(error)) {
      names.push_back(at->path().filename().native());
    }
    if (error) {
      return fail(system_error("listing " + quoted((base_ / path).native()), error.value()));
    }
    std::ranges::sort(names);
    return names;
  }

  [[nodiscard]] Result<std::string> read_link(const std::string& path) override {
    std::error_code error;
    const fs::path target = fs::read_symlink(base_ / path, error);
    if (error) return fail(system_error(quoted((base_ / path).native()), error.value()));
    return target.native();
  }

  [[nodiscard]] Result<std::unique_ptr<image::Content>> content(const std::string& path) override {
    return HostContent::open(path.empty() ? base_ : base_ / path);
  }

  [[nodiscard]] Result<std::vector<image::ExtendedAttribute>> extended_attributes(
      const std::string& path) override;

 private:
  fs::path base_;
};

/// Calls `get(buffer, size)` with a buffer of the size that it asks for; the value may grow
/// between.
template <class Get>
Result<std::vector<char>> grown(const fs::path& path, Get get) {
  for (;;) {
    const ssize_t size = get(nullptr, std::size_t{0});
    if (size < 0) return fail(system_error("extended attributes of " + quoted(path.native())));
    std::vector<char> buffer(static_cast<std::size_t>(size));
    const ssize_t got = buffer.empty() ? 0 : get(buffer.data(), buffer.size());
    if (got < 0 && errno == ERANGE) continue;
    if (got < 0) return fail(system_error("extended attributes of " + quoted(path.native())));
    buffer.resize(static_cast<std::size_t>(got));
    return buffer;
  }
}

Result<std::vector<image::ExtendedAttribute>> HostSource::extended_attributes(
    const std::string& path) {
  const fs::path at = path.empty() ? base_ : base_ / path;
  auto names = grown(
      at, [&](char* buffer, std::size_t size) { return ::llistxattr(at.c_str(), buffer, size); });
  if (!names && errno == ENOTSUP) return std::vector<image::ExtendedAttribute>();
  if (!names) return fail(std::move(names).error());

  std::vector<image::ExtendedAttribute> found;
  for (std::string_view rest(names->data(), names->size()); !rest.empty();) {
    const std::string name(rest.substr(0, rest.find('\0')));
    rest.remove_prefix(std::min(name.size() + 1, rest.size()));
    // Access control lists have another form on disk than the kernel shows, and belong to the users
    // of this machine.
    if (name.starts_with("system.")) continue;
    const auto value = IMPRINT_TRY(grown(at, [&](char* buffer, std::size_t size) {
      return ::lgetxattr(at.c_str(), name.c_str(), buffer, size);
    }));
    const ByteView bytes = bytes_of(std::string_view(value.data(), value.size()));
    found.push_back({.name = name, .value = Bytes(bytes.begin(), bytes.end())});
  }
  return found;
}

}  // namespace

Result<std::unique_ptr<Source>> host_source(const fs::path& path) {
  auto source = std::make_unique<HostSource>(path);
  IMPRINT_TRY(source->stat({}));
  return std::unique_ptr<Source>(std::move(source));
}

}  // namespace imprint::files
