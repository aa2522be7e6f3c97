#include "support/soft_token.hpp"

#include <cstdlib>

#include <gtest/gtest.h>

#include "support/command.hpp"

namespace imprint::test {

namespace {

void must_run(const std::vector<std::string>& command) {
  const CommandResult result = run_command(command);
  EXPECT_EQ(result.status, 0) << testing::PrintToString(command) << result.out << result.err;
}

}  // namespace

SoftHsm::SoftHsm() {
  std::filesystem::create_directory(dir_ / "tokens");
  const auto config =
      dir_.write("softhsm2.conf", "directories.tokendir = " + (dir_ / "tokens").string() +
                                      "\nobjectstore.backend = file\n");
  // NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread runs
  ::setenv("SOFTHSM2_CONF", config.c_str(), 1);
}

SoftHsm::~SoftHsm() {
  ::unsetenv("SOFTHSM2_CONF");  // NOLINT(concurrency-mt-unsafe): no other thread runs
}

void SoftHsm::make_token(const std::string& label) const {
  must_run({"softhsm2-util", "--init-token", "--free", "--label", label, "--pin", kPin, "--so-pin",
            "5678"});
}

void SoftHsm::import_key(const std::string& token, const std::filesystem::path& pem,
                         const std::string& label, const std::string& id) const {
  must_run({"softhsm2-util", "--import", pem.string(), "--token", token, "--label", label, "--id",
            id, "--pin", kPin, "--force"});
}

}  // namespace imprint::test
