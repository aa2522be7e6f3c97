#include "verify_fixture.hpp"

#include <fstream>

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace imprint::cli::test {

namespace {

/// The number behind a label in what debugfs prints.
std::uint64_t number_after(const std::string& text, const std::string& label) {
  const std::size_t at = text.find(label);
  EXPECT_NE(at, std::string::npos) << label << " is not in: " << text;
  return at == std::string::npos ? 0 : std::stoull(text.substr(at + label.size()));
}

}  // namespace

void copy_image(const fs::path& from, const fs::path& to) {
  const auto copied = run_command({"cp", "--sparse=always", from, to});
  EXPECT_EQ(copied.status, 0) << copied.err;
}

std::uint64_t Specimen::block_bytes(int partition) const {
  return number_after(oracle_.debugfs(partition, "show_super_stats -h"), "Block size:");
}

std::uint64_t Specimen::offset_of(int partition, const std::string& path) const {
  const std::uint64_t block = std::stoull(oracle_.debugfs(partition, "blocks " + path));
  return oracle_.partitions().at(static_cast<std::size_t>(partition) - 1).offset_bytes +
         block * block_bytes(partition);
}

void Specimen::write_at(std::uint64_t offset, const std::string& bytes) const {
  std::fstream file(image_, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(offset));
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  EXPECT_TRUE(file.flush().good());
}

void Specimen::overwrite(int partition, const std::string& path, const std::string& content) const {
  const std::uint64_t block = block_bytes(partition);
  ASSERT_LE(content.size(), block);
  std::string padded = content;
  padded.resize(block);
  write_at(offset_of(partition, path), padded);
  change(partition, {fmt::format("set_inode_field {} size {}", path, content.size())});
}

void Specimen::edit(int partition, const std::string& path,
                    const std::function<std::string(std::string)>& edit) const {
  overwrite(partition, path, edit(oracle_.cat(partition, path)));
}

void Specimen::write_into_free_block(int partition, const std::string& content) const {
  const std::uint64_t block =
      number_after(oracle_.debugfs(partition, "find_free_block 1 2000"), "Free blocks found:");
  write_at(oracle_.partitions().at(static_cast<std::size_t>(partition) - 1).offset_bytes +
               block * block_bytes(partition),
           content);
}

void Specimen::add(int partition, const std::string& path, const std::string& content,
                   const std::string& mode) const {
  std::ofstream("added") << content;
  change(partition, {"write added " + path, fmt::format("set_inode_field {} mode {}", path, mode),
                     fmt::format("set_inode_field {} uid 0", path),
                     fmt::format("set_inode_field {} gid 0", path)});
}

std::vector<std::string> failed_checks(const Json& verdict) {
  std::vector<std::string> failed;
  for (const Json& check : verdict["checks"]) {
    if (!check["passed"].get<bool>())
      failed.push_back(check["check"].get<std::string>() + ": " +
                       check["detail"].get<std::string>());
  }
  return failed;
}

void expect_defects(const std::vector<Defect>& defects) {
  for (const Defect& defect : defects) {
    SCOPED_TRACE(defect.name);
    copy_image("out/unit-1.sdimg", "bad.sdimg");
    Specimen specimen("bad.sdimg");
    defect.spoil(specimen);
    std::vector<std::string> command = {"verify", "bad.sdimg", "--json"};
    const bool own_ca = std::ranges::find(defect.arguments, "--ca") != defect.arguments.end();
    if (!own_ca) command.insert(command.end(), {"--ca", "ca/ca-cert.pem"});
    command.insert(command.end(), defect.arguments.begin(), defect.arguments.end());
    const CommandResult verified = imprint(command);
    EXPECT_EQ(verified.status, 1) << verified.err;
    const Json document = Json::parse(verified.out, nullptr, false);
    ASSERT_TRUE(document.is_object()) << verified.out << verified.err;
    const auto failed = failed_checks(document["images"][0]);
    EXPECT_THAT(failed,
                testing::ElementsAre(testing::AllOf(testing::StartsWith(defect.check + ": "),
                                                    testing::HasSubstr(defect.detail))));
  }
}

fs::path golden_image() {
  for (const auto& entry : fs::directory_iterator("out/.imprint")) {
    if (entry.path().extension() == ".img") return entry.path();
  }
  ADD_FAILURE() << "no golden image";
  return {};
}

}  // namespace imprint::cli::test
