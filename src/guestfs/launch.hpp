#pragma once

#include <memory>
#include <span>

#include "handle.hpp"
#include "imprint/guestfs/appliance.hpp"

namespace imprint::guestfs {

struct Launched {
  std::unique_ptr<Handle> handle;
  Appliance::Acceleration acceleration = Appliance::Acceleration::emulation;
};

/// Boots an appliance with these drives. With KVM first where this user may use it, unless the
/// backend settings say which; then with emulation.
[[nodiscard]] Result<Launched> launch(const Library& library, std::span<const Drive> drives,
                                      const ApplianceOptions& options);

/// The label by which the appliance knows a drive; libguestfs takes letters only.
[[nodiscard]] std::string drive_label(std::size_t drive);

}  // namespace imprint::guestfs
