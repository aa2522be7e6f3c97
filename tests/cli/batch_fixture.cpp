#include "batch_fixture.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <sys/stat.h>

#include <fmt/format.h>

#include "imprint/cli/cli.hpp"

namespace imprint::cli::test {

fs::path base_image(Variant variant) {
  return fs::path(IMPRINT_IMAGES) /
         (variant == Variant::populated ? "mender-populated.sdimg" : "mender-empty-b.sdimg");
}

bool have_images() {
  return fs::exists(base_image(Variant::populated)) && fs::exists(base_image(Variant::empty_b));
}

CommandResult imprint(const std::vector<std::string>& arguments) {
  std::ostringstream out;
  std::ostringstream err;
  CommandResult result;
  result.status = cli::run(arguments, out, err);
  result.out = out.str();
  result.err = err.str();
  return result;
}

std::string binary() {
  return IMPRINT_BINARY;
}

BatchFolder::BatchFolder(Variant variant, int devices)
    : before_(fs::current_path()),
      variant_(variant) {
  fs::current_path(dir_.path());
  fs::create_symlink(base_image(variant), "base.sdimg");
  const CommandResult made =
      imprint({"ca", "init", "ca", "--cn", "Test CA", "--org", "Test", "--country", "NO"});
  EXPECT_EQ(made.status, 0) << made.err;
  write_devices(devices);
  manifest = {
      {"version", 1},
      {"image", "base.sdimg"},
      {"authority", {{"certificate", "ca/ca-cert.pem"}, {"key", "ca/ca-private.key"}}},
      {"identity",
       {{"key", "ec:P-256"},
        {"subject", {{"CN", "{id}.devices.example.com"}, {"O", "Test"}}},
        {"san", {"DNS:{id}.devices.example.com", "URI:urn:serial:{serial}"}},
        {"days", 3650}}},
      {"mender_conf",
       {{"target", "rootfs"}, {"merge", {{"ServerURL", "https://mtls.example.com"}}}}},
      {"files",
       {{{"text", "shared by all\n"}, {"to", "/etc/mender/server.crt"}, {"mode", "0644"}},
        {{"text", "{psk}\n"}, {"to", "/data/wifi/psk"}, {"mode", "0600"}},
        {{"text", "{id}\n"}, {"to", "/etc/hostname"}, {"mode", "0644"}}}},
      {"output",
       {{"directory", "out"}, {"name", "{id}.sdimg"}, {"format", "image"}, {"bmap", true}}},
      {"devices", "devices.csv"},
  };
  save();
}

BatchFolder::~BatchFolder() {
  std::error_code ignored;
  fs::current_path(before_, ignored);
}

void BatchFolder::save() const {
  dir_.write("manifest.json", manifest.dump(2) + "\n");
}

void BatchFolder::write_devices(int count) const {
  std::string csv = "id,serial,psk\n";
  for (int i = 1; i <= count; ++i)
    csv += fmt::format("unit-{0},SN{0:06},passphrase {0}\n", i);
  dir_.write("devices.csv", csv);
}

fs::path BatchFolder::own_image() {
  const CommandResult copied = run_command(
      {"cp", "--sparse=always", "--reflink=auto", base_image(variant_).string(), "own.sdimg"});
  EXPECT_EQ(copied.status, 0) << copied.err;
  manifest["image"] = "own.sdimg";
  save();
  return "own.sdimg";
}

std::vector<std::map<std::string, std::string>> read_csv(const fs::path& path) {
  const auto split = [](const std::string& line) {
    std::vector<std::string> fields;
    std::istringstream parts(line);
    for (std::string field; std::getline(parts, field, ',');)
      fields.push_back(field);
    return fields;
  };
  std::istringstream lines(slurp(path));
  std::string line;
  std::getline(lines, line);
  const std::vector<std::string> names = split(line);
  std::vector<std::map<std::string, std::string>> rows;
  while (std::getline(lines, line)) {
    const std::vector<std::string> fields = split(line);
    auto& row = rows.emplace_back();
    for (std::size_t i = 0; i < fields.size() && i < names.size(); ++i)
      row[names[i]] = fields[i];
  }
  return rows;
}

std::string sql(const fs::path& database, const std::string& statement) {
  const CommandResult result = run_command({"sqlite3", database.string(), statement});
  EXPECT_EQ(result.status, 0) << statement << '\n' << result.err;
  std::string text = result.out;
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

std::vector<std::string> listing(const fs::path& directory) {
  std::vector<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    struct stat status = {};
    ::lstat(entry.path().c_str(), &status);
    found.push_back(fmt::format("{} {} {}.{:09}", entry.path().string(), status.st_size,
                                status.st_mtim.tv_sec, status.st_mtim.tv_nsec));
  }
  std::ranges::sort(found);
  return found;
}

std::vector<std::string> leftovers(const fs::path& directory) {
  std::vector<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".tmp") || name.ends_with("-journal")) found.push_back(entry.path());
  }
  return found;
}

}  // namespace imprint::cli::test
