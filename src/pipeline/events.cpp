#include <ostream>

#include <nlohmann/json.hpp>

#include "imprint/pipeline/batch.hpp"

namespace imprint::pipeline {

namespace {

using Json = nlohmann::ordered_json;

Json event(std::string_view name, const Clock& clock) {
  return {{"event", name}, {"time", to_rfc3339(clock.now())}};
}

/// One line, flushed: a line controller acts on it now.
void write(std::ostream& stream, const Json& line) {
  stream << line.dump() << '\n' << std::flush;
}

}  // namespace

void EventWriter::batch_started(const PlanSummary& plan, std::uint64_t to_do,
                                std::uint64_t done_before) {
  Json line = event("batch-started", clock_);
  line["manifest"] = plan.manifest;
  line["golden_digest"] = plan.golden_digest;
  line["devices"] = plan.devices;
  line["to_do"] = to_do;
  line["done_before"] = done_before;
  write(stream_, line);
}

void EventWriter::device_done(const DeviceDone& device) {
  Json line = event("device-done", clock_);
  line["id"] = device.id;
  line["file"] = device.file;
  line["serial"] = device.serial_hex;
  line["certificate_sha256"] = device.certificate_sha256;
  write(stream_, line);
}

void EventWriter::device_failed(std::string_view id, std::string_view reason) {
  Json line = event("device-failed", clock_);
  line["id"] = id;
  line["reason"] = reason;
  write(stream_, line);
}

void EventWriter::batch_finished(const BatchReport& report) {
  Json line = event("batch-finished", clock_);
  line["done"] = report.done;
  line["failed"] = report.failed;
  line["interrupted"] = report.interrupted;
  line["seconds"] = report.seconds;
  write(stream_, line);
}

}  // namespace imprint::pipeline
