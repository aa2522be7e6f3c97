#include "accept/new_client.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/batch_fixture.hpp"
#include "support/command.hpp"
#include "support/image_oracle.hpp"

namespace imprint::accept {

using imprint::cli::test::kData;
using imprint::cli::test::kRootfsA;

Authorization authorize_as_new_client(const std::filesystem::path& image,
                                      const std::vector<std::string>& more) {
  std::vector<std::string> command = {"python3", IMPRINT_ACCEPT "/new_client.py", "--image", image};
  const imprint::test::ImageOracle oracle(image);
  for (const auto& partition : oracle.partitions()) {
    if (partition.number != kRootfsA && partition.number != kData) continue;
    command.emplace_back(partition.number == kData ? "--data" : "--rootfs");
    command.push_back(std::to_string(partition.offset_bytes));
  }
  command.insert(command.end(), more.begin(), more.end());
  const auto result = imprint::test::run_command(command);
  EXPECT_EQ(result.status, 0) << result.err;
  if (result.status != 0) return {};
  const auto answer = nlohmann::json::parse(result.out);
  return {.status = answer.at("status"),
          .said = answer.at("said"),
          .token = answer.at("token"),
          .work = answer.at("work"),
          .generated = answer.at("generated")};
}

}  // namespace imprint::accept
