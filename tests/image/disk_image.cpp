#include "image/disk_image.hpp"

#include <algorithm>
#include <fstream>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/command.hpp"
#include "support/temp_dir.hpp"

namespace imprint::test {
namespace {

namespace fs = std::filesystem;

}  // namespace

void make_disk(const fs::path& image, std::uint64_t size_bytes, std::string_view sfdisk_script) {
  std::ofstream(image).close();
  fs::resize_file(image, size_bytes);
  const auto made = run_command({"sfdisk", "-q", image.native()}, sfdisk_script);
  ASSERT_EQ(made.status, 0) << made.err;
}

void make_ext4(const fs::path& image, std::uint64_t offset_bytes, std::uint64_t size_bytes,
               const ExtContent& content, const std::vector<std::string>& options) {
  const TempDir tree;
  for (const std::string& directory : content.directories) {
    fs::create_directories(tree / directory);
  }
  for (const auto& [name, text] : content.files) {
    fs::create_directories((tree / name).parent_path());
    (void)tree.write(name, text);
  }
  std::vector<std::string> argv = {"mke2fs",
                                   "-q",
                                   "-F",
                                   "-t",
                                   "ext4",
                                   "-b",
                                   "1024",
                                   "-O",
                                   "^has_journal",
                                   "-d",
                                   tree.path().native(),
                                   "-E",
                                   fmt::format("offset={}", offset_bytes)};
  argv.insert(argv.end(), options.begin(), options.end());
  argv.push_back(image.native());
  argv.push_back(fmt::format("{}k", size_bytes / 1024));
  const auto made = run_command(argv);
  ASSERT_EQ(made.status, 0) << made.err;
}

void poke(const fs::path& file, std::uint64_t offset_bytes, std::string_view bytes) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekp(static_cast<std::streamoff>(offset_bytes));
  stream.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  stream.close();
  ASSERT_TRUE(stream.good()) << file;
}

std::vector<std::string> sfdisk_view(const fs::path& image) {
  const auto said = run_command({"sfdisk", "-J", image.native()});
  EXPECT_EQ(said.status, 0) << said.err;
  const auto json = nlohmann::json::parse(said.out, nullptr, false);
  std::vector<std::string> view;
  if (json.is_discarded()) return view;
  for (const auto& part : json["partitiontable"]["partitions"]) {
    const auto type = part["type"].get<std::string>();
    if (type == "5" || type == "f" || type == "85") continue;
    const auto node = part["node"].get<std::string>();
    const auto number = std::stoi(node.substr(image.native().size()));
    view.push_back(fmt::format("{}:{}:{}", number, part["start"].get<std::uint64_t>() * 512,
                               part["size"].get<std::uint64_t>() * 512));
  }
  return view;
}

}  // namespace imprint::test
