#include "imprint/files/source.hpp"

#include <array>
#include <cerrno>
#include <unistd.h>

#include <fmt/format.h>

#include "collected.hpp"
#include "imprint/base/text.hpp"

namespace imprint::files {
namespace {

class ImageSource final : public Source {
 public:
  ImageSource(ImageView& view, std::string asked, image::DeviceTree::Location location)
      : view_(view),
        asked_(std::move(asked)),
        location_(std::move(location)) {}

  [[nodiscard]] std::string described() const override {
    return fmt::format("{}:{}", view_.path().native(), asked_);
  }

  [[nodiscard]] std::string name() const override {
    std::string_view path = asked_;
    while (path.ends_with('/'))
      path.remove_suffix(1);
    const std::string name(path.substr(path.rfind('/') + 1));
    // The path as it was asked for may end in dots, which name nothing.
    if (name != "." && name != "..") return name;
    return fs::path(location_.path).filename().native();
  }

  [[nodiscard]] Result<image::NodeInfo> stat(const std::string& path) override {
    const auto node = IMPRINT_TRY(location_.file_system->find(full(path)));
    if (!node) return fail(Code::not_found, fmt::format("{} has vanished", quoted(full(path))));
    return *node;
  }

  [[nodiscard]] Result<std::vector<std::string>> list(const std::string& path) override {
    return location_.file_system->list(full(path));
  }

  [[nodiscard]] Result<std::string> read_link(const std::string& path) override {
    return location_.file_system->read_link(full(path));
  }

  [[nodiscard]] Result<std::unique_ptr<image::Content>> content(const std::string& path) override {
    auto collected = std::make_unique<CollectedContent>();
    IMPRINT_TRY(location_.file_system->read(
        full(path), [&collected](std::uint64_t offset, ByteView bytes) -> Result<> {
          collected->add(offset, bytes);
          return {};
        }));
    const image::NodeInfo node = IMPRINT_TRY(stat(path));
    collected->set_size(node.size_bytes);
    return std::unique_ptr<image::Content>(std::move(collected));
  }

  [[nodiscard]] Result<std::vector<image::ExtendedAttribute>> extended_attributes(
      const std::string& path) override {
    return location_.file_system->extended_attributes(full(path));
  }

 private:
  [[nodiscard]] std::string full(const std::string& path) const {
    if (path.empty()) return location_.path;
    return fmt::format("{}/{}", location_.path == "/" ? "" : location_.path, path);
  }

  ImageView& view_;
  std::string asked_;
  image::DeviceTree::Location location_;
};

class StreamSource final : public Source {
 public:
  static Result<std::unique_ptr<Source>> read(int fd) {
    auto source = std::make_unique<StreamSource>();
    crypto::WipedBytes piece(1U << 16);
    std::uint64_t offset = 0;
    for (;;) {
      const ssize_t got = ::read(fd, piece.data(), piece.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return fail(system_error("reading standard input"));
      if (got == 0) return std::unique_ptr<Source>(std::move(source));
      source->content_.add(offset, ByteView(piece).first(static_cast<std::size_t>(got)));
      offset += static_cast<std::uint64_t>(got);
    }
  }

  [[nodiscard]] std::string described() const override { return "standard input"; }

  [[nodiscard]] std::string name() const override { return {}; }

  [[nodiscard]] Result<image::NodeInfo> stat(const std::string& /*path*/) override {
    image::NodeInfo node;
    node.type = image::NodeType::file;
    node.mode = 0644;
    node.size_bytes = content_.size_bytes();
    return node;
  }

  [[nodiscard]] Result<std::vector<std::string>> list(const std::string& /*path*/) override {
    return fail(Code::internal, "standard input is no directory");
  }

  [[nodiscard]] Result<std::string> read_link(const std::string& /*path*/) override {
    return fail(Code::internal, "standard input is no link");
  }

  [[nodiscard]] Result<std::unique_ptr<image::Content>> content(
      const std::string& /*path*/) override {
    return std::unique_ptr<image::Content>(std::make_unique<CollectedContent>(std::move(content_)));
  }

  [[nodiscard]] Result<std::vector<image::ExtendedAttribute>> extended_attributes(
      const std::string& /*path*/) override {
    return std::vector<image::ExtendedAttribute>();
  }

 private:
  CollectedContent content_;
};

}  // namespace

Result<std::unique_ptr<Source>> image_source(ImageView& view, const std::string& path) {
  auto location = IMPRINT_TRY(view.find(path));
  return std::unique_ptr<Source>(std::make_unique<ImageSource>(view, path, std::move(location)));
}

Result<std::unique_ptr<Source>> stream_source(int fd) {
  return StreamSource::read(fd);
}

}  // namespace imprint::files
