#include "imprint/pipeline/conf_files.hpp"

#include "imprint/base/text.hpp"
#include "imprint/mender/paths.hpp"

namespace imprint::pipeline {

namespace {

Result<std::optional<std::string>> read_text(image::DeviceTree& tree, std::string_view path) {
  auto content = tree.read_file(path);
  if (content) return std::optional<std::string>(std::string(text_of(*content)));
  if (content.error().code == Code::not_found) return std::optional<std::string>();
  return fail(std::move(content).error());
}

Result<std::optional<std::string>> read_main(image::FileSystems::Root& root) {
  if (!root.has_rootfs) return std::optional<std::string>();
  auto text = read_text(root.tree, mender::kMainConf);
  if (!text && text.error().code == Code::unsupported) return std::optional<std::string>();
  return text;
}

}  // namespace

Result<ConfFiles> read_conf_files(image::FileSystems::Root& root) {
  ConfFiles files;
  files.main = IMPRINT_TRY(read_main(root));
  files.fallback = IMPRINT_TRY(read_text(root.tree, mender::kFallbackConf));
  return files;
}

}  // namespace imprint::pipeline
