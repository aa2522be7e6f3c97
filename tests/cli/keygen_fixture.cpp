#include "keygen_fixture.hpp"

#include <cstdlib>
#include <sys/stat.h>

#include "batch_fixture.hpp"

namespace imprint::cli::test {

KeygenTest::KeygenTest() : before_(fs::current_path()) {
  fs::current_path(dir_.path());
  for (const char* const name : {"CERT_CN", "CERT_SAN", "CERT_API_CN", "CERT_STORAGE_CN"})
    ::unsetenv(name);
}

KeygenTest::~KeygenTest() {
  std::error_code ignored;
  fs::current_path(before_, ignored);
}

CommandResult KeygenTest::ok(const std::vector<std::string>& arguments) {
  CommandResult result = imprint(arguments);
  EXPECT_EQ(result.status, 0) << testing::PrintToString(arguments) << result.err;
  return result;
}

void KeygenTest::refused(const std::vector<std::string>& arguments, const std::string& message,
                         int status) {
  const auto before = listing(".");
  const CommandResult result = imprint(arguments);
  EXPECT_EQ(result.status, status) << testing::PrintToString(arguments);
  EXPECT_EQ(result.err, "imprint: error: " + message + "\n");
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(listing("."), before);
}

std::string KeygenTest::openssl(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "openssl");
  const CommandResult result = run_command(arguments);
  EXPECT_EQ(result.status, 0) << testing::PrintToString(arguments) << result.out << result.err;
  return result.out;
}

std::set<std::string> files_in(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_directory()) names.insert(entry.path().lexically_relative(folder).string());
  }
  return names;
}

unsigned mode_of(const fs::path& path) {
  struct stat status = {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  return status.st_mode & 07777U;
}

bool has_python_module(const std::string& module) {
  return run_command({kPython, "-c", "import " + module}).status == 0;
}

Json read_yaml(const fs::path& file) {
  const auto parsed = run_command(
      {kPython, "-c",
       "import sys, json, yaml\nd = list(yaml.safe_load_all(open(sys.argv[1])))\n"
       "d = [x for x in d if x is not None]\nprint(json.dumps(d[0] if len(d) == 1 else d))",
       file.string()});
  EXPECT_EQ(parsed.status, 0) << parsed.err;
  return Json::parse(parsed.out, nullptr, false);
}

}  // namespace imprint::cli::test
