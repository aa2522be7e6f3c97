#include <iostream>
#include <string>
#include <vector>

#include "imprint/cli/cli.hpp"

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  return imprint::cli::run(args, std::cout, std::cerr);
}
