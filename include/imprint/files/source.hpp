#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"
#include "imprint/files/image.hpp"
#include "imprint/image/content.hpp"
#include "imprint/image/file_system.hpp"

namespace imprint::files {

/// A file or directory that is to be copied, with what is in it: of this machine, of an image, or
/// what comes in on standard input. Paths are relative to it; an empty one is the thing itself.
class Source {
 public:
  Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  virtual ~Source() = default;

  /// For messages: `host.conf`, `x.sdimg:/etc`.
  [[nodiscard]] virtual std::string described() const = 0;
  /// Its own name, for a copy into a directory; empty when it has none (standard input).
  [[nodiscard]] virtual std::string name() const = 0;

  /// A link as such, but for the thing itself, which is what a link names.
  [[nodiscard]] virtual Result<image::NodeInfo> stat(const std::string& path) = 0;
  [[nodiscard]] virtual Result<std::vector<std::string>> list(const std::string& path) = 0;
  [[nodiscard]] virtual Result<std::string> read_link(const std::string& path) = 0;
  [[nodiscard]] virtual Result<std::unique_ptr<image::Content>> content(
      const std::string& path) = 0;
  [[nodiscard]] virtual Result<std::vector<image::ExtendedAttribute>> extended_attributes(
      const std::string& path) = 0;
};

/// A path of this machine. Code::not_found when there is none.
[[nodiscard]] Result<std::unique_ptr<Source>> host_source(const fs::path& path);

/// A path of an image, which outlives the source.
[[nodiscard]] Result<std::unique_ptr<Source>> image_source(ImageView& view,
                                                           const std::string& path);

/// Everything that comes in on the descriptor (standard input), kept in wiped memory.
[[nodiscard]] Result<std::unique_ptr<Source>> stream_source(int fd);

}  // namespace imprint::files
