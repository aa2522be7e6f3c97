#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "imprint/base/bytes.hpp"
#include "imprint/base/result.hpp"

namespace imprint {

namespace fs = std::filesystem;

/// An open regular file. Owns the descriptor (O_CLOEXEC). Positioned I/O only, so one File may
/// serve several threads for reading. Errors name the path.
class File {
 public:
  File() = default;
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File();

  /// Code::not_found when there is none; anything but a regular file is Code::invalid_input.
  static Result<File> open_read(const fs::path& path);
  static Result<File> open_read_write(const fs::path& path);
  /// O_EXCL: Code::exists when there is one already. `mode` is exact, whatever the umask.
  static Result<File> create_new(const fs::path& path, unsigned mode);
  /// A file without a name (0600) in the directory or its nearest existing parent: nobody else can
  /// open it, and nothing of it is left however the process ends. `shown` stands for the name in
  /// messages.
  static Result<File> create_unnamed(const fs::path& directory, std::string_view shown);

  [[nodiscard]] int fd() const noexcept { return fd_; }

  [[nodiscard]] const fs::path& path() const noexcept { return path_; }

  [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }

  [[nodiscard]] Result<std::uint64_t> size_bytes() const;
  /// Fills all of `into`; a file that ends before is Code::corrupt.
  [[nodiscard]] Result<> read_exact(std::uint64_t offset, MutableBytes into) const;
  Result<> write_all(std::uint64_t offset, ByteView bytes);
  Result<> resize(std::uint64_t size_bytes);
  /// fsync.
  Result<> sync();
  /// Closes and reports what close(2) reports; the destructor closes silently.
  Result<> close();

 private:
  File(int fd, fs::path path) : fd_(fd), path_(std::move(path)) {}

  static Result<File> create_and_unlink(const fs::path& directory, std::string_view shown);

  int fd_ = -1;
  fs::path path_;
};

/// A new file beside its target that appears under the target's name only when published, whole and
/// synced. Destroyed unpublished, it leaves nothing behind. Temporary name: `.<name>.<random>.tmp`,
/// in the same directory. A device, FIFO or link into /proc is refused, being no regular file.
class NewFile {
 public:
  static Result<NewFile> beside(const fs::path& target, unsigned mode);  ///< over no device
  NewFile(NewFile&&) noexcept;
  NewFile& operator=(NewFile&&) = delete;
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile();

  [[nodiscard]] File& file() noexcept { return file_; }

  [[nodiscard]] const fs::path& temporary_path() const noexcept { return temporary_; }

  /// fsync, rename over the target. The caller syncs the directory (sync_directory), once for many
  /// files.
  Result<> publish();
  /// The same without the fsync, for a caller that has synced already.
  Result<> publish_synced();

 private:
  NewFile(File file, fs::path temporary, fs::path target)
      : file_(std::move(file)),
        temporary_(std::move(temporary)),
        target_(std::move(target)) {}

  File file_;
  fs::path temporary_;
  fs::path target_;
};

/// Whole content of a regular file; more than `limit_bytes` is Code::invalid_input.
Result<Bytes> read_file(const fs::path& path, std::uint64_t limit_bytes = std::uint64_t{1} << 30);

/// Writes `bytes` under `path` by way of NewFile and syncs the directory: old content or new, never
/// a mixture.
Result<> write_file_atomic(const fs::path& path, ByteView bytes, unsigned mode);

Result<> sync_directory(const fs::path& directory);

/// Makes everything durable that has been written to the file system this directory is on: for many
/// small files one call instead of one each.
Result<> sync_file_system(const fs::path& directory);

/// mkdir -p with this mode for the directories it makes.
Result<> make_directories(const fs::path& directory, unsigned mode = 0755);

/// Whether something is there under this name (a link is followed). What cannot be told is an error
/// with the reason, not a no: a folder above it that we may not search, links that go in circles.
Result<bool> path_exists(const fs::path& path);

/// Removes a file; a missing one is no error.
Result<> remove_file(const fs::path& path);

/// An exclusive flock(2) on a lock file, held until destroyed (or the process dies, however it
/// dies).
class DirectoryLock {
 public:
  /// Creates `file` if needed. Code::busy when another process holds it; the message names the
  /// holder's process id.
  static Result<DirectoryLock> acquire(const fs::path& file);

 private:
  explicit DirectoryLock(File file) : file_(std::move(file)) {}

  File file_;
};

/// Free bytes for this user on the file system that holds `path` (or its nearest existing parent).
Result<std::uint64_t> free_space_bytes(const fs::path& path);

}  // namespace imprint
