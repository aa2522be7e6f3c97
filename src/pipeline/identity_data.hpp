#pragma once

#include <string>

#include "imprint/base/result.hpp"
#include "imprint/manifest/plan.hpp"

namespace imprint::pipeline {

/// What a device will report as its identity, as the ledger keeps it: a JSON object in one line,
/// empty when the manifest says nothing. Replaces `text`, reusing its memory.
[[nodiscard]] Result<> expand_identity_data(const manifest::DevicePlan& plan,
                                            const manifest::DeviceTable& table, std::size_t row,
                                            std::string& text);

}  // namespace imprint::pipeline
