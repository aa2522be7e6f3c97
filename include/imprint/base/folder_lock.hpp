#pragma once

#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"

namespace imprint {

/// An exclusive flock(2) on a folder itself, so that no file is left for it. Held until destroyed,
/// or the process dies, however it dies.
class FolderLock {
 public:
  /// Waits for another process, or another lock of this one. When this returns, what is locked is
  /// what has the name: a folder that was exchanged meanwhile (WholeFolder) is no longer it.
  /// Code::not_found when there is no such folder.
  static Result<FolderLock> acquire(const fs::path& directory);
  FolderLock(FolderLock&& other) noexcept;
  FolderLock& operator=(FolderLock&&) = delete;
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  ~FolderLock();

 private:
  explicit FolderLock(int fd) noexcept : fd_(fd) {}

  int fd_ = -1;
};

}  // namespace imprint
