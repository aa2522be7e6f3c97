#pragma once

#include <memory>

#include "imprint/image/file_system.hpp"
#include "imprint/image/volume.hpp"

namespace imprint::image {

/// An ext2/3/4 file system by its paths: the face of a Volume towards everything that does not care
/// which kind of file system it works on.
class ExtFileSystem final : public FileSystem {
 public:
  explicit ExtFileSystem(Volume volume) : volume_(std::move(volume)) {}

  [[nodiscard]] const Partition& partition() const noexcept override { return volume_.partition(); }

  [[nodiscard]] bool has_owners() const noexcept override { return true; }

  [[nodiscard]] Result<std::optional<NodeInfo>> find(std::string_view path) override;
  [[nodiscard]] Result<std::vector<std::string>> list(std::string_view path) override;
  [[nodiscard]] Result<std::string> read_link(std::string_view path) override;
  [[nodiscard]] Result<> read(std::string_view path, const ContentSink& sink) override;
  [[nodiscard]] Result<std::vector<ExtendedAttribute>> extended_attributes(
      std::string_view path) override;

  Result<> make_directory(std::string_view path, const Attributes& attributes) override;
  Result<> write_file(std::string_view path, const Content& content,
                      const Attributes& attributes) override;
  Result<> make_symlink(std::string_view path, std::string_view target,
                        const Attributes& attributes) override;
  Result<> remove(std::string_view path) override;
  Result<> change_attributes(std::string_view path, const AttributeChange& change) override;
  Result<> set_extended_attribute(std::string_view path, const std::string& name,
                                  std::optional<ByteView> value) override;

  Result<> commit() override { return volume_.commit(); }

  [[nodiscard]] Volume* volume() noexcept override { return &volume_; }

 private:
  /// Where a path's last name is: the directory's inode and the name, empty for the root.
  struct Place {
    InodeNumber directory = kRootInode;
    std::string name;
  };

  [[nodiscard]] Result<std::optional<InodeNumber>> inode_of(std::string_view path) const;
  [[nodiscard]] Result<InodeNumber> existing(std::string_view path) const;
  [[nodiscard]] Result<Place> place_of(std::string_view path) const;

  Volume volume_;
};

}  // namespace imprint::image
