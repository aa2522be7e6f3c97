#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "imprint/base/result.hpp"
#include "imprint/crypto/digest.hpp"
#include "imprint/files/image.hpp"
#include "imprint/files/wanted.hpp"
#include "imprint/image/content.hpp"

namespace imprint::files {

/// Changes to the files of one image, made where the device would find them: a path of the root
/// file system in A and in B, where both have its directory; a path that leads to the same place
/// from both (the data partition) once. After a failure the edit is to be thrown away.
class Changes {
 public:
  /// The edit outlives it.
  explicit Changes(ImageEdit& edit) : edit_(edit) {}

  enum class Parents { must_exist, make };

  /// Makes or replaces a file. What is not wanted is kept of the file that is replaced; a new one
  /// gets `mode_if_new` and belongs to 0:0.
  Result<> put(const std::string& path, const image::Content& content, const Wanted& wanted,
               unsigned mode_if_new, Parents parents = Parents::must_exist);
  /// A directory that is there already is left as it is but for what is wanted, when `parents` are
  /// made too (mkdir -p); else it is Code::exists.
  Result<> make_directory(const std::string& path, const Wanted& wanted, unsigned mode_if_new,
                          Parents parents = Parents::must_exist);
  /// Replaces a link, nothing else.
  Result<> make_symlink(const std::string& path, const std::string& target, const Wanted& wanted);

  struct RemoveOptions {
    bool recursive = false;
    bool missing_is_fine = false;
  };

  /// Removes a file, a link (not what it names), or with `recursive` a directory with everything in
  /// it. The root of a file system is refused.
  Result<> remove(const std::string& path, const RemoveOptions& options);

  /// Whether the path leads to a directory, in any of the name spaces.
  [[nodiscard]] Result<bool> is_directory(const std::string& path);

  /// Reads everything back from the image as it will be, then brings it into the file. Returns how
  /// many bytes were written to it.
  Result<std::uint64_t> finish(image::Survives survives);

  /// What the user should know, such as that B has no such directory.
  [[nodiscard]] const std::vector<std::string>& notes() const noexcept { return notes_; }

 private:
  /// A path in one name space, and where it leads.
  struct Target {
    std::string label;
    image::DeviceTree::Location location;
  };

  /// What has to be found when the changes are read back.
  struct Expected {
    int partition = 0;
    std::string path;
    std::optional<image::NodeType> type;  ///< none: nothing may be there
    std::optional<image::Attributes> attributes;
    std::optional<crypto::Sha256Digest> digest;
  };

  enum class Need { directory, node };

  [[nodiscard]] Result<std::vector<Target>> targets(const std::string& path, Parents parents,
                                                    image::DeviceTree::LastLink last, Need need);
  [[nodiscard]] Result<image::Attributes> attributes_for(const Target& target, const Wanted& wanted,
                                                         unsigned mode_if_new) const;
  Result<> set_extended_attributes(const Target& target, const Wanted& wanted);
  Result<> change_directory(const Target& target, const Wanted& wanted);
  Result<> remove_below(image::FileSystem& file_system, const std::string& path, unsigned depth);
  void expect(const Target& target, image::NodeType type,
              const std::optional<image::Attributes>& attributes,
              const std::optional<crypto::Sha256Digest>& digest);
  [[nodiscard]] Result<> check(ImageView& result) const;

  ImageEdit& edit_;
  std::vector<Expected> expected_;
  std::vector<std::string> notes_;
};

}  // namespace imprint::files
