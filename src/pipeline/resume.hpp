#pragma once

#include <cstdint>
#include <vector>

#include "batch_plan.hpp"
#include "imprint/ledger/ledger.hpp"
#include "sink.hpp"

namespace imprint::pipeline {

/// What earlier runs left: which rows are done, and what became of certificates without an outcome.
struct Resumption {
  std::vector<bool> done;  ///< by row of the device table
  std::uint64_t done_count = 0;
  std::uint64_t superseded = 0;
};

/// Settles the certificates that an interrupted run issued without recording an outcome (placed if
/// the sink carries them, superseded otherwise), then reads which devices of the plan are done.
Result<Resumption> resume(const BatchPlan::Impl& plan, ledger::Ledger& ledger, Sink& sink,
                          const Clock& clock);

}  // namespace imprint::pipeline
