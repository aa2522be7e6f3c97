#pragma once

#include "imprint/image/partition.hpp"

namespace CLI {
class App;
}

namespace imprint::cli {

/// Adds --boot-part, --rootfs-a-part, --rootfs-b-part and --data-part, which fill in `choice`; it
/// lives as long as the command.
void add_layout_options(CLI::App& command, image::LayoutChoice& choice);

}  // namespace imprint::cli
