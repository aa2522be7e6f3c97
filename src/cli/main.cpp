#include <iostream>
#include <string>
#include <vector>

#include "imprint/cli/cli.hpp"
#include "standard_streams.hpp"

int main(int argc, char** argv) {
  imprint::cli::occupy_standard_streams();
  const std::vector<std::string> args(argv + 1, argv + argc);
  return imprint::cli::run(args, std::cout, std::cerr);
}
