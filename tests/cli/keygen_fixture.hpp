#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/command.hpp"
#include "support/temp_dir.hpp"

namespace imprint::cli::test {

namespace fs = std::filesystem;

using imprint::test::CommandResult;
using imprint::test::run_command;
using imprint::test::slurp;
using imprint::test::TempDir;
using Json = nlohmann::ordered_json;

/// A working directory of its own, and an environment without keygen's variables.
class KeygenTest : public testing::Test {
 protected:
  KeygenTest();
  ~KeygenTest() override;

  /// The program, which has to succeed.
  static CommandResult ok(const std::vector<std::string>& arguments);
  /// The program, which has to refuse with this one line, write nothing to standard output and
  /// change nothing.
  static void refused(const std::vector<std::string>& arguments, const std::string& message,
                      int status = 2);
  static std::string openssl(std::vector<std::string> arguments);

  TempDir dir_;

 private:
  fs::path before_;
};

/// Names of the files below a folder.
[[nodiscard]] std::set<std::string> files_in(const fs::path& folder);
[[nodiscard]] unsigned mode_of(const fs::path& path);

/// Debian's interpreter: another one in PATH may lack Debian's modules.
inline constexpr const char* kPython = "/usr/bin/python3";

[[nodiscard]] bool has_python_module(const std::string& module);

/// A YAML file as a foreign parser reads it; several documents become a list.
[[nodiscard]] Json read_yaml(const fs::path& file);

}  // namespace imprint::cli::test

#define IMPRINT_NEED_PYTHON_MODULE(module)                                              \
  if (!::imprint::cli::test::has_python_module(module)) {                               \
    GTEST_SKIP() << "needs the Python module '" << (module) << "' (see scripts/setup)"; \
  }                                                                                     \
  static_assert(true, "")
