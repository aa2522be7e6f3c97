#pragma once

#include <memory>

#include "session.hpp"

namespace imprint::guestfs {

/// A file system that is mounted in the appliance.
class GuestFileSystem final : public image::FileSystem {
 public:
  GuestFileSystem(Session& session, image::Partition partition, Session::Mount mount)
      : session_(session),
        partition_(std::move(partition)),
        mount_(std::move(mount)) {}

  GuestFileSystem(const GuestFileSystem&) = delete;
  GuestFileSystem& operator=(const GuestFileSystem&) = delete;
  ~GuestFileSystem() override;

  [[nodiscard]] const image::Partition& partition() const noexcept override { return partition_; }

  [[nodiscard]] bool has_owners() const noexcept override { return mount_.kind != "vfat"; }

  [[nodiscard]] Result<std::optional<image::NodeInfo>> find(std::string_view path) override;
  [[nodiscard]] Result<std::vector<std::string>> list(std::string_view path) override;
  [[nodiscard]] Result<std::string> read_link(std::string_view path) override;
  [[nodiscard]] Result<> read(std::string_view path, const image::ContentSink& sink) override;
  [[nodiscard]] Result<std::vector<image::ExtendedAttribute>> extended_attributes(
      std::string_view path) override;

  Result<> make_directory(std::string_view path, const image::Attributes& attributes) override;
  Result<> write_file(std::string_view path, const image::Content& content,
                      const image::Attributes& attributes) override;
  Result<> make_symlink(std::string_view path, std::string_view target,
                        const image::Attributes& attributes) override;
  Result<> remove(std::string_view path) override;
  Result<> change_attributes(std::string_view path, const image::AttributeChange& change) override;
  Result<> set_extended_attribute(std::string_view path, const std::string& name,
                                  std::optional<ByteView> value) override;
  Result<> commit() override;

 private:
  /// The path in the appliance; one that a C string cannot hold is Code::invalid_input.
  [[nodiscard]] Result<std::string> inside(std::string_view path) const;
  [[nodiscard]] Result<image::NodeInfo> existing(std::string_view path);
  /// Before an edit: the directory is there; what has the name now.
  [[nodiscard]] Result<std::optional<image::NodeInfo>> place_for(std::string_view path);
  [[nodiscard]] Result<> check_room(std::uint64_t data_bytes);
  Result<> fill(const std::string& path, const image::Content& content);
  Result<> set_owner_mode_time(const std::string& path, const image::Attributes& attributes,
                               image::NodeType type);
  Result<> set_time(const std::string& path, TimePoint time, image::NodeType type);
  /// A call that returns 0 or fails; `doing` names the path for the message.
  template <class Call>
  Result<> call(std::string_view path, Call function);
  /// The same for edits, whose failure leaves the file system half changed.
  Result<> edited(Result<> result);
  Result<> writable() const;

  Session& session_;
  image::Partition partition_;
  Session::Mount mount_;
  bool committed_ = false;
  bool broken_ = false;
  bool freed_ = false;  ///< something was removed or replaced
};

}  // namespace imprint::guestfs
