#include "check_files.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace imprint::pipeline {

namespace {

Result<> check_file(image::FileSystems::Root& root, const golden::DeviceFile& file,
                    ByteView content) {
  const auto differs = [&](std::string_view what) {
    return fail(Code::check_failed,
                fmt::format("{}: {} reads back with {}", root.label, file.path, what));
  };
  const image::NodeInfo node = IMPRINT_TRY(root.tree.stat(file.path));
  if (node.mode != file.attributes.mode) return differs(fmt::format("mode {:04o}", node.mode));
  if (node.uid != file.attributes.uid || node.gid != file.attributes.gid) {
    return differs(fmt::format("owner {}:{}", node.uid, node.gid));
  }
  const crypto::WipedBytes found = IMPRINT_TRY(root.tree.read_file(file.path));
  if (!std::equal(found.begin(), found.end(), content.begin(), content.end()))
    return differs("another content");
  return {};
}

}  // namespace

Result<> check_device_files(image::FileSystems& file_systems,
                            std::span<const golden::DeviceFile> files,
                            std::span<const ByteView> contents) {
  for (image::FileSystems::Root& root : file_systems.roots()) {
    for (std::size_t i = 0; i < files.size(); ++i)
      IMPRINT_TRY(check_file(root, files[i], contents[i]));
  }
  return {};
}

}  // namespace imprint::pipeline
