#pragma once

#include <functional>
#include <string>
#include <vector>

#include "batch_fixture.hpp"

namespace imprint::cli::test {

/// One mistake, and all that the user is told about it.
struct Refusal {
  std::string name;
  std::function<void(BatchFolder& folder)> spoil;
  std::string message;  ///< after "imprint: error: ", the whole line
  int status = 2;
  std::vector<std::string> arguments = {"batch", "manifest.json"};
};

/// Spoils a sound folder, runs the command and expects this one line on standard error, nothing on
/// standard output and nothing written anywhere.
void expect_refusals(const std::vector<Refusal>& refusals, Variant variant = Variant::empty_b);

}  // namespace imprint::cli::test
