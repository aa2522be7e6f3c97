#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "console.hpp"
#include "engine_options.hpp"
#include "imprint/base/result.hpp"
#include "imprint/files/address.hpp"
#include "imprint/files/changes.hpp"
#include "imprint/files/image.hpp"
#include "imprint/files/wanted.hpp"

namespace CLI {
class App;
}

namespace imprint::cli {

/// Which of an image's file systems the paths of a file command are about.
struct ViewArguments {
  EngineOptions engine;
  image::LayoutChoice layout;
  std::optional<int> partition;
  std::string root;

  /// It lives as long as the command.
  void add_to(CLI::App& command);
  [[nodiscard]] Result<files::ViewOptions> options() const;
};

/// What files are to get: mode, owner, time, extended attributes.
struct WantedArguments {
  std::string mode;
  std::string owner;
  std::string modified;
  std::vector<std::string> extended_attributes;
  std::string selinux;

  void add_to(CLI::App& command);
  [[nodiscard]] Result<files::Wanted> wanted() const;
};

/// An image that is read, after an edit of it that was interrupted has been finished or undone.
[[nodiscard]] Result<std::unique_ptr<files::ImageView>> open_view(const fs::path& image,
                                                                  const ViewArguments& arguments,
                                                                  Console& console);

/// Says so when rootfs B has another content under the path than A, which was read.
void note_of_difference(files::ImageView& view, const files::Address& address, Console& console);

/// One image that is changed: all of the command's changes, or none.
class EditCommand {
 public:
  /// How it is brought into the file.
  struct Arguments {
    ViewArguments view;
    bool sync = false;

    void add_to(CLI::App& command);
  };

  [[nodiscard]] static Result<EditCommand> open(const fs::path& image, const Arguments& arguments,
                                                Console& console);

  [[nodiscard]] files::Changes& changes() noexcept { return *changes_; }

  [[nodiscard]] files::ImageEdit& edit() noexcept { return *edit_; }

  Result<> finish(Console& console);

 private:
  std::unique_ptr<files::ImageEdit> edit_;
  std::unique_ptr<files::Changes> changes_;
  bool sync_ = false;
};

/// IMAGE:PATH arguments that all have to be in one image, because only there all or nothing can
/// be had.
struct OneImage {
  fs::path image;
  std::vector<std::string> paths;
};

[[nodiscard]] Result<OneImage> one_image(const std::vector<std::string>& arguments);

}  // namespace imprint::cli
