#pragma once

#include <cstdint>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "batch_fixture.hpp"
#include "support/loopback.hpp"
#include "support/tls_server.hpp"

namespace imprint::cli::test {

using imprint::test::free_port;
using imprint::test::TempDir;
using testing::HasSubstr;
using testing::Not;

/// A working directory of its own, in which bundles are made.
class Edge : public testing::Test {
 protected:
  Edge() : before_(fs::current_path()) { fs::current_path(dir_.path()); }

  ~Edge() override { fs::current_path(before_); }

  /// The program, which has to succeed.
  static CommandResult ok(const std::vector<std::string>& arguments) {
    CommandResult result = imprint(arguments);
    EXPECT_EQ(result.status, 0) << testing::PrintToString(arguments) << result.err;
    return result;
  }

  /// The program, which has to refuse with this one line.
  static void refused(const std::vector<std::string>& arguments, const std::string& message,
                      int status = 2) {
    const CommandResult result = imprint(arguments);
    EXPECT_EQ(result.status, status) << testing::PrintToString(arguments);
    EXPECT_EQ(result.err, "imprint: error: " + message + "\n");
  }

  /// For a bundle that listens on a free port.
  std::vector<std::string> edge_command(const std::string& ca, std::vector<std::string> more = {}) {
    port_ = free_port();
    std::vector<std::string> command = {"edge",
                                        "--ca",
                                        ca,
                                        "--cn",
                                        "mtls.example.com",
                                        "--listen",
                                        fmt::format("127.0.0.1:{}", port_)};
    command.insert(command.end(), more.begin(), more.end());
    return command;
  }

  static struct stat status_of(const fs::path& path) {
    struct stat status = {};
    EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
    return status;
  }

  static unsigned mode_of(const fs::path& path) { return status_of(path).st_mode & 07777U; }

  TempDir dir_;
  std::uint16_t port_ = 0;

 private:
  fs::path before_;
};

/// NAME=value as docker reads a file of variables: lines with # in front are comments, a value is
/// everything after the first = and stays as it is. By sed, not by us.
inline std::string variable(const std::string& file, const std::string& name) {
  const auto result =
      run_command({"sed", "-n", "-e", "/^#/d", "-e", fmt::format("s/^{}=//p", name), file});
  EXPECT_EQ(result.status, 0) << result.err;
  return result.out;
}

}  // namespace imprint::cli::test
