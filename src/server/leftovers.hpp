#pragma once

#include <set>

#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"
#include "imprint/server/layout.hpp"

namespace imprint::server {

/// What killed runs have left in a tree, below `directory`: temporary files of the deployment
/// texts, some with private keys, and the work folders of rotations.
[[nodiscard]] Result<std::set<fs::path>> leftovers(const fs::path& directory, Layout layout);

/// Removes them. Work folders of a run that is alive stay; the temporary files are those of nobody
/// else only while the caller holds the tree's TextsLock.
[[nodiscard]] Result<> remove_leftovers(const fs::path& directory, Layout layout);

/// Who writes the deployment texts of a tree holds it: another process waits. It is on the folder
/// itself, so that no file is left for it.
class TextsLock {
 public:
  [[nodiscard]] static Result<TextsLock> acquire(const fs::path& directory);
  TextsLock(TextsLock&& other) noexcept;
  TextsLock& operator=(TextsLock&&) = delete;
  TextsLock(const TextsLock&) = delete;
  TextsLock& operator=(const TextsLock&) = delete;
  ~TextsLock();

 private:
  explicit TextsLock(int fd) noexcept : fd_(fd) {}

  int fd_;
};

}  // namespace imprint::server
