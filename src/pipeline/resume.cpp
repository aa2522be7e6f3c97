#include "resume.hpp"

#include <fmt/format.h>

#include "ledger_records.hpp"

namespace imprint::pipeline {

namespace {

constexpr std::string_view kNeverPlaced = "its run was interrupted before the image had its name";

/// Certificates without an outcome whose output is there after all: the run died between the two.
Result<> settle_placed(const BatchPlan::Impl& plan, ledger::Ledger& ledger, Sink& sink,
                       TimePoint now) {
  std::vector<ledger::DeviceRow> open;
  IMPRINT_TRY(ledger.for_each_open([&](const ledger::DeviceRow& row) { open.push_back(row); }));
  // One transaction for all: a killed overlay batch leaves hundreds of them.
  std::vector<std::string> names;  // the outcomes refer to them
  names.reserve(open.size());
  std::vector<ledger::Outcome> placed;
  for (const ledger::DeviceRow& row : open) {
    const auto table_row = plan.devices.find(row.device_id);
    if (!table_row) continue;
    std::string& name = names.emplace_back();
    IMPRINT_TRY(plan.device_plan.output_name.expand(plan.devices, *table_row, name));
    if (!IMPRINT_TRY(sink.carries(row.device_id, name, row.certificate_sha256))) continue;
    placed.push_back({.certificate_row = row.certificate_row,
                      .state = ledger::State::placed,
                      .file = placed_file(plan, name),
                      .digest = {},
                      .reason = {},
                      .at = now});
  }
  return ledger.record_outcomes(placed);
}

}  // namespace

Result<Resumption> resume(const BatchPlan::Impl& plan, ledger::Ledger& ledger, Sink& sink,
                          const Clock& clock) {
  Resumption found;
  found.done.resize(plan.devices.size());
  IMPRINT_TRY(settle_placed(plan, ledger, sink, clock.now()));
  found.superseded =
      static_cast<std::uint64_t>(IMPRINT_TRY(ledger.supersede_open(kNeverPlaced, clock.now())));
  IMPRINT_TRY(ledger.for_each_latest([&](const ledger::DeviceRow& row) {
    if (row.state != ledger::State::placed) return;
    const auto table_row = plan.devices.find(row.device_id);
    if (!table_row || found.done[*table_row]) return;
    found.done[*table_row] = true;
    ++found.done_count;
  }));
  return found;
}

}  // namespace imprint::pipeline
