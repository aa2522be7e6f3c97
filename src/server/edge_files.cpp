#include "edge_files.hpp"

#include <array>
#include <sys/stat.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "bundle.hpp"
#include "imprint/base/text.hpp"

namespace imprint::server {

namespace {

/// `65534:65534`, as chown has it.
std::string owner_of(const fs::path& file) {
  struct stat status = {};
  if (::stat(file.c_str(), &status) != 0) return "?";
  return fmt::format("{}:{}", status.st_uid, status.st_gid);
}

}  // namespace

std::span<const std::string> edge_file_names() {
  static const std::array<std::string, 12> names = {
      edge_file::kServerKey,  edge_file::kServerCertificate,
      edge_file::kCa,         edge_file::kBlacklist,
      edge_file::kMap,        edge_file::kCrl,
      edge_file::kNginx,      edge_file::kRunNginx,
      edge_file::kGateway,    edge_file::kRunGateway,
      edge_file::kAmbassador, edge_file::kRunAmbassador};
  return names;
}

std::vector<EdgeFile> pair_files(ServerFiles server) {
  std::vector<EdgeFile> files;
  files.push_back(
      {.name = edge_file::kServerKey, .mode = 0600, .text = {}, .secret = std::move(server.key)});
  files.push_back({.name = edge_file::kServerCertificate,
                   .mode = 0644,
                   .text = std::move(server.certificates)});
  return files;
}

Result<> write_edge(const fs::path& directory, std::span<const EdgeFile> files,
                    EdgeReport& report) {
  std::vector<BundleFile> bundle;
  for (const EdgeFile& file : files) {
    bundle.push_back({.name = file.name, .content = file.content(), .mode = file.mode});
    report.files.push_back(directory / file.name);
  }
  return write_new(directory, bundle);
}

Result<> replace_edge(const fs::path& directory, WholeFolder folder,
                      std::span<const EdgeFile> files, std::vector<std::string>& kept,
                      EdgeReport& report) {
  for (const EdgeFile& file : files) {
    const fs::path path = directory / file.name;
    const std::string before = owner_of(path);
    const Ownership owner = IMPRINT_TRY(folder.replace(file.name, file.content(), file.mode));
    if (owner == Ownership::given)
      kept.push_back(fmt::format("the owner of {} ({})", file.name, before));
    if (owner == Ownership::lost) {
      report.warnings.push_back(
          fmt::format("{} was {}'s, and only root can give it back: chown {} {}",
                      quoted(path.string()), before, before, quoted(path.string())));
    }
    report.files.push_back(path);
  }
  return folder.publish();
}

void report_kept(const std::vector<std::string>& kept, EdgeReport& report) {
  if (kept.empty()) return;
  report.notes.push_back(fmt::format("kept of the bundle before: {}", fmt::join(kept, ", ")));
}

}  // namespace imprint::server
