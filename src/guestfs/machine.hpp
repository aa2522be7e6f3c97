#pragma once

#include "handle.hpp"
#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"

namespace imprint::guestfs {

/// Where libguestfs finds what it needs; other folders for tests.
struct MachineFolders {
  fs::path kernels = "/boot";
  fs::path modules = "/lib/modules";
};

/// What an appliance needs beside the library: an emulator. Code::io with what to install.
[[nodiscard]] Result<> check_machine(const Handle& handle);

/// The reason that can be seen for a launch that failed: no supermin, no kernel, none that this
/// user may read, no room for the appliance; else what libguestfs says.
[[nodiscard]] Error explain_failure(const Handle& handle, const Error& launch_error,
                                    const MachineFolders& folders = {});

/// A kernel that supermin can take, by the rules of explain_failure().
[[nodiscard]] Result<> check_kernel(const MachineFolders& folders);

}  // namespace imprint::guestfs
