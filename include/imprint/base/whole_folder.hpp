#pragma once

#include <map>
#include <optional>
#include <set>
#include <utility>

#include "imprint/base/file.hpp"
#include "imprint/base/owner.hpp"
#include "imprint/base/result.hpp"

namespace imprint {

/// What became of the owner of a file that another one took the place of.
enum class Ownership {
  same,   ///< nothing had to be done: there was none, or it was ours
  given,  ///< the new file was given to the owner and group of the old one
  lost,   ///< we may not give it away: the new file is ours
};

/// Code::invalid_input for a symbolic link that leads to nothing.
Result<> refuse_dangling_link(const fs::path& path);

/// A folder that is made or changed as a whole: others see what was there before, or all of what
/// comes after, however the process ends. It is put together beside its place as `.NAME.new` and
/// takes the place in one step. Destroyed unpublished, it leaves everything as it was. What a
/// killed process has left as `.NAME.new` the next one clears away. One thread at a time.
class WholeFolder {
 public:
  /// `mode` is for a folder that is new, whatever the umask; one that is there keeps its mode and
  /// owner (as far as we may give it away). A link to a folder is followed. Code::busy while
  /// another process has one for this folder. Code::invalid_input for a target that is no folder or
  /// a link that leads nowhere, and for one that the process stands in or below, which would find
  /// itself in a removed folder.
  static Result<WholeFolder> beside(const fs::path& target, unsigned mode);
  WholeFolder(WholeFolder&& other) noexcept;
  WholeFolder& operator=(WholeFolder&&) = delete;
  WholeFolder(const WholeFolder&) = delete;
  WholeFolder& operator=(const WholeFolder&) = delete;
  ~WholeFolder();

  /// A new file; synced when this returns. Paths are relative to the folder, and the folders in
  /// them are made, for the owner of the folder itself. With an owner it is that one's, as far as
  /// we may give it away. Code::exists when there is one already. Code::invalid_input when a link
  /// that was kept stands where a folder has to be.
  Result<> write(const fs::path& file, ByteView content, unsigned mode,
                 const std::optional<Owner>& owner = std::nullopt);

  /// The same in the place of a file that the folder had: the new one is its owner's and group's,
  /// as far as we may give it away, and the group may read it when it could.
  Result<Ownership> replace(const fs::path& file, ByteView content, unsigned mode);

  /// A file of the folder as it was appears as `to`: the same file (a hard link), so that its mode
  /// and owner stay.
  Result<> keep(const fs::path& from, const fs::path& to);

  /// All that the folder held appears under the same names, but these and what is below them.
  /// Folders have their mode and owner from publish() on.
  Result<> keep_all_but(const std::set<fs::path>& left_out);

  /// Takes the place. Durable when this returns. Code::unsupported where the file system cannot
  /// exchange a folder that is there already.
  Result<> publish();

 private:
  /// How a folder is to be in the end.
  struct Attributes {
    std::optional<unsigned> mode;
    std::optional<Owner> owner;
  };

  WholeFolder(fs::path target, fs::path work, int lock, bool replaces)
      : target_(std::move(target)),
        work_(std::move(work)),
        lock_(lock),
        replaces_(replaces) {}

  Result<> make_folder(const fs::path& folder);
  Result<> keep_below(const fs::path& folder, const std::set<fs::path>& left_out);
  Result<> finish_folder(const fs::path& folder, const Attributes& attributes) const;
  Result<> change_places();

  fs::path target_;
  fs::path work_;
  int lock_ = -1;  // on the work folder, by its own descriptor
  bool replaces_ = false;
  std::map<fs::path, Attributes> folders_;  // by their paths in it; its own is empty
};

}  // namespace imprint
