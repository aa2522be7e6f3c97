#include "layout_options.hpp"

#include <CLI/CLI.hpp>

namespace imprint::cli {

void add_layout_options(CLI::App& command, image::LayoutChoice& choice) {
  constexpr int kMost = 1024;  // more than any table has
  const auto add = [&](const char* option, std::optional<int>& number, const char* what) {
    command.add_option(option, number, what)->check(CLI::Range(1, kMost))->type_name("N");
  };
  add("--boot-part", choice.boot, "Number of the boot partition, instead of the one found");
  add("--rootfs-a-part", choice.rootfs_a, "Number of rootfs A, instead of the one found");
  add("--rootfs-b-part", choice.rootfs_b, "Number of rootfs B, instead of the one found");
  add("--data-part", choice.data, "Number of the data partition, instead of the one found");
}

}  // namespace imprint::cli
