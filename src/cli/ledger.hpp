#pragma once

#include <optional>
#include <string>

#include "command.hpp"
#include "imprint/ledger/ledger.hpp"

namespace imprint::cli {

/// The argument of --state; nothing is none.
[[nodiscard]] Result<std::optional<ledger::State>> parse_state(const std::string& text);

/// `imprint ledger export`.
Action add_ledger_export(CLI::App& ledger);

}  // namespace imprint::cli
