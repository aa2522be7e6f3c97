#include "support/image_oracle.hpp"

#include <algorithm>
#include <sstream>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "support/command.hpp"

namespace imprint::test {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kSectorBytes = 512;

/// The number after `name` ("start=", "size=") in a line of `sfdisk -d`, in bytes.
std::uint64_t sectors_after(const std::string& line, std::string_view name) {
  const std::size_t at = line.find(name);
  if (at == std::string::npos) return 0;
  return std::stoull(line.substr(at + name.size())) * kSectorBytes;
}

}  // namespace

ImageOracle::ImageOracle(fs::path image) : image_(std::move(image)) {
  const CommandResult dump = run_command({"sfdisk", "-d", image_.string()});
  EXPECT_EQ(dump.status, 0) << dump.err;
  std::istringstream lines(dump.out);
  const std::string prefix = image_.string();
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(prefix) || line.find("start=") == std::string::npos) continue;
    partitions_.push_back({std::stoi(line.substr(prefix.size())), sectors_after(line, "start="),
                           sectors_after(line, "size=")});
  }
}

std::string ImageOracle::device(int partition) const {
  const auto found =
      std::ranges::find_if(partitions_, [&](const auto& p) { return p.number == partition; });
  EXPECT_NE(found, partitions_.end()) << "no partition " << partition << " in " << image_;
  if (found == partitions_.end()) return image_.string();
  return fmt::format("{}?offset={}", image_.string(), found->offset_bytes);
}

std::string ImageOracle::complaints(int partition) const {
  const CommandResult result = run_command({"e2fsck", "-fn", device(partition)});
  return result.status == 0 ? std::string() : result.out + result.err;
}

std::string ImageOracle::debugfs(int partition, const std::string& request) const {
  return run_command({"debugfs", "-R", request, device(partition)}).out;
}

void ImageOracle::change(int partition, const std::vector<std::string>& requests) const {
  const CommandResult result = run_command({"debugfs", "-w", "-f", "-", device(partition)},
                                           fmt::format("{}\n", fmt::join(requests, "\n")));
  std::istringstream lines(result.err);
  for (std::string line; std::getline(lines, line);)
    EXPECT_TRUE(line.starts_with("debugfs 1.")) << line;
}

std::string ImageOracle::cat(int partition, std::string_view path) const {
  return debugfs(partition, fmt::format("cat {}", path));
}

std::string ImageOracle::attributes(int partition, std::string_view path) const {
  std::istringstream words(debugfs(partition, fmt::format("stat {}", path)));
  std::string mode;
  std::string user;
  std::string group;
  for (std::string word; words >> word;) {
    if (word == "Mode:") words >> mode;
    if (word == "User:") words >> user;
    if (word == "Group:") words >> group;
  }
  return mode.empty() ? std::string() : fmt::format("{} {}:{}", mode, user, group);
}

bool ImageOracle::exists(int partition, std::string_view path) const {
  return !attributes(partition, path).empty();
}

std::vector<std::string> ImageOracle::owners(int partition, std::string_view directory) const {
  // `ls -p` gives /inode/mode/uid/gid/name/size/ a line.
  std::vector<std::string> found;
  std::istringstream lines(debugfs(partition, fmt::format("ls -p {}", directory)));
  for (std::string line; std::getline(lines, line);) {
    std::vector<std::string> fields;
    std::istringstream parts(line);
    for (std::string field; std::getline(parts, field, '/');)
      fields.push_back(field);
    if (fields.size() < 6 || fields[1] == "0" || fields[5] == "." || fields[5] == "..") continue;
    const std::string path =
        directory == "/" ? "/" + fields[5] : fmt::format("{}/{}", directory, fields[5]);
    found.push_back(fmt::format("{} {} {}:{}", path, fields[2], fields[3], fields[4]));
    if (fields[2].starts_with("04")) {
      const std::vector<std::string> inside = owners(partition, path);
      found.insert(found.end(), inside.begin(), inside.end());
    }
  }
  std::ranges::sort(found);
  return found;
}

std::vector<std::uint64_t> differing_bytes(const fs::path& a, const fs::path& b) {
  const CommandResult result = run_command({"cmp", "-l", a.string(), b.string()});
  EXPECT_LE(result.status, 1) << result.err;
  EXPECT_EQ(result.err, "") << "of different sizes";
  std::vector<std::uint64_t> offsets;
  std::istringstream lines(result.out);
  for (std::string line; std::getline(lines, line);)
    offsets.push_back(std::stoull(line) - 1);  // cmp counts from 1
  return offsets;
}

std::string sha256_of_file(const fs::path& path) {
  const CommandResult result = run_command({"sha256sum", path.string()});
  EXPECT_EQ(result.status, 0) << result.err;
  return result.out.substr(0, 64);
}

std::string openssl(std::vector<std::string> arguments, std::string_view input) {
  arguments.insert(arguments.begin(), "openssl");
  const CommandResult result = run_command(arguments, input);
  EXPECT_EQ(result.status, 0) << testing::PrintToString(arguments) << '\n'
                              << result.out << result.err;
  return result.out;
}

}  // namespace imprint::test
