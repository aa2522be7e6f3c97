// The main job. A plan has been made and everything checked; from here on the world changes.
//
// Groups of devices flow through five stages (flow.hpp). The order of the stages is what makes a
// device a transaction:
//
//   produce   take the next rows that are not done yet
//   mint      key, certificate, overlay, check of the overlay            parallel
//   record    the ledger learns of the certificates, durably             one transaction for the
//   group place     image written beside its name, synced, opened, compared    parallel finish
//   images get their names (or overlays enter the store); outcomes wait for the next group's record
//
// A device's failure is a value in the device; only a broken ledger, a broken sink or a full disk
// stops the batch.

#include "imprint/pipeline/batch.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <sys/resource.h>

#include <fmt/format.h>

#include "batch_plan.hpp"
#include "device_list.hpp"
#include "failed_list.hpp"
#include "flow.hpp"
#include "group_pace.hpp"
#include "guest_sink.hpp"
#include "image_sink.hpp"
#include "imprint/base/version.hpp"
#include "imprint/ledger/ledger.hpp"
#include "key_time.hpp"
#include "ledger_records.hpp"
#include "output_directory.hpp"
#include "overlay_sink.hpp"
#include "resume.hpp"
#include "stopwatch.hpp"
#include "worker.hpp"

namespace imprint::pipeline {

namespace {

/// Most devices that share one ledger transaction. An overlay costs microseconds and a commit
/// milliseconds, so many share one, as far as memory (about 8 KiB a device in hand) stays small
/// with many jobs. An image costs far more than a commit, and few at a time let an interruption end
/// soon.
std::size_t largest_group(const BatchPlan::Impl& plan) {
  if (plan.manifest.output.format == manifest::OutputFormat::overlay) {
    return std::clamp<std::size_t>(std::size_t{8192} / plan.jobs, 256, 2048);
  }
  if (plan.guest_recipe) return kDevicesPerAppliance;
  return plan.summary.reflink ? 16 : 4;
}

/// Two groups more than workers: while one is committed and one waits for its turn, nobody is idle.
/// One RSA key may take twenty times as long as the next, and the groups behind it wait for their
/// turn: there have to be more of them, or the other workers are out of slots. Those groups are
/// small.
std::size_t groups_in_flight(const BatchPlan::Impl& plan) {
  return takes_long(plan.manifest.identity.key) ? std::size_t{8} * plan.jobs + 2
                                                : std::size_t{plan.jobs} + 2;
}

Result<std::unique_ptr<Sink>> open_sink(const BatchPlan::Impl& plan,
                                        const OutputDirectory& output) {
  if (plan.manifest.output.format == manifest::OutputFormat::overlay) {
    const OverlaySinkPlan sink{*plan.base, plan.layout, *plan.golden, plan.device_files};
    return std::unique_ptr<Sink>(
        IMPRINT_TRY(OverlaySink::open(output.store(), plan.store_header(), sink)));
  }
  if (plan.guest_recipe) return std::unique_ptr<Sink>(std::make_unique<GuestSink>(plan));
  const std::string digest = to_hex(plan.golden_digest);
  IMPRINT_TRY(output.remove_other_golden_images(digest));
  IMPRINT_TRY(
      golden::write_golden_file(*plan.base, plan.golden->patch(), output.golden_image(digest)));
  ImageSinkPlan sink{.directory = output.path(),
                     .golden_file = output.golden_image(digest),
                     .base = *plan.base,
                     .golden = *plan.golden,
                     .layout = plan.layout,
                     .device_files = plan.device_files,
                     .reflink = plan.summary.reflink,
                     .bmap = plan.manifest.output.bmap};
  return std::unique_ptr<Sink>(IMPRINT_TRY(ImageSink::open(std::move(sink))));
}

std::uint64_t peak_memory_bytes() {
  struct rusage usage {};

  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

/// What the command will exit with, for the ledger's record of the run.
int exit_status(const BatchReport& report, bool aborted) {
  if (aborted) return 4;
  if (report.interrupted) return 130;
  return report.failed > 0 ? 3 : 0;
}

/// Devices that travel together, with buffers that serve one group after the other.
struct Group {
  std::vector<Device> devices;
  std::size_t count = 0;

  [[nodiscard]] std::span<Device> in_hand() { return {devices.data(), count}; }
};

/// One run of a batch: the state that its stages share. The ordered stages touch what they own
/// without locks; what two stages touch is behind `mutex_`.
class BatchRun {
 public:
  BatchRun(const BatchPlan::Impl& plan, BatchObserver& observer, const std::atomic<bool>& stop,
           const Clock& clock, OutputDirectory output, ledger::Ledger ledger,
           std::unique_ptr<Sink> sink)
      : plan_(plan),
        observer_(observer),
        stop_(stop),
        clock_(clock),
        output_(std::move(output)),
        ledger_(std::move(ledger)),
        sink_(std::move(sink)),
        pace_(largest_group(plan)) {}

  Result<BatchReport> run();

 private:
  Result<> prepare();
  bool produce(Group& group);
  void mint(Group& group);
  void record(Group& group);
  void place(Group& group);
  void finish(Group& group);
  Result<> conclude();

  /// Ends the run after the groups in hand; the first reason is kept.
  void abort(Error error);
  [[nodiscard]] bool aborted() const;
  void report_outcome(Device& device);
  PendingOutcomes take_pending();

  const BatchPlan::Impl& plan_;
  BatchObserver& observer_;
  const std::atomic<bool>& stop_;
  const Clock& clock_;
  OutputDirectory output_;
  ledger::Ledger ledger_;
  std::unique_ptr<Sink> sink_;
  GroupPace pace_;  // mint -> produce

  Resumption earlier_;
  std::vector<Worker> workers_;
  std::vector<Group> groups_;
  std::optional<DeviceListWriter> device_list_;
  FailedList failed_list_;
  std::int64_t run_id_ = 0;
  std::size_t next_row_ = 0;              // produce
  std::atomic<std::uint64_t> taken_ = 0;  // produce; mint gives back
  BatchReport report_;                    // finish
  StageClocks clocks_;

  mutable std::mutex mutex_;
  PendingOutcomes pending_;            // finish -> record
  std::optional<Error> abort_reason_;  // any stage -> produce
};

Result<BatchReport> BatchRun::run() {
  const auto started = std::chrono::steady_clock::now();
  IMPRINT_TRY(prepare());
  const std::uint64_t missing = plan_.devices.size() - earlier_.done_count;
  const std::uint64_t to_do = plan_.limit ? std::min(*plan_.limit, missing) : missing;
  observer_.batch_started(plan_.summary, to_do, earlier_.done_count);

  const Flow flow{
      .produce = [this](std::size_t slot) { return produce(groups_[slot]); },
      .mint = [this](std::size_t slot) { mint(groups_[slot]); },
      .record = [this](std::size_t slot) { record(groups_[slot]); },
      .place = [this](std::size_t slot) { place(groups_[slot]); },
      .finish = [this](std::size_t slot) { finish(groups_[slot]); },
  };
  run_flow(flow, plan_.jobs, groups_.size());

  report_.devices = plan_.devices.size();
  report_.done_before = earlier_.done_count;
  report_.superseded = earlier_.superseded;
  report_.jobs = plan_.jobs;
  report_.interrupted = stop_ && taken_ < to_do;
  report_.limited = plan_.limit.has_value() && missing > *plan_.limit;
  report_.stages = clocks_.seconds();
  report_.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();

  report_.peak_memory_bytes = peak_memory_bytes();

  Result<> concluded = conclude();
  if (abort_reason_) {
    return fail(std::move(*abort_reason_)
                    .context(fmt::format("batch stopped after {} devices (what is done is "
                                         "recorded; run the same command to go on)",
                                         report_.done)));
  }
  if (!concluded) return fail(std::move(concluded).error());
  observer_.batch_finished(report_);
  return report_;
}

Result<> BatchRun::prepare() {
  const crypto::Certificate& ca = plan_.authority->certificate();
  run_id_ =
      IMPRINT_TRY(ledger_.begin_run({.tool_version = kVersion,
                                     .command = "batch",
                                     .manifest_sha256 = plan_.manifest_digest,
                                     .authority_sha256 = ca.fingerprint(),
                                     .authority_key_sha256 = crypto::sha256(ca.public_key_der()),
                                     .at = clock_.now()}));
  earlier_ = IMPRINT_TRY(resume(plan_, ledger_, *sink_, clock_));
  for (unsigned i = 0; i < flow_threads(plan_.jobs); ++i)
    workers_.push_back(IMPRINT_TRY(Worker::create(plan_)));
  groups_.resize(groups_in_flight(plan_));
  // With nothing done before, the list of devices can be written as they come; otherwise it is made
  // from the ledger at the end.
  if (earlier_.done_count == 0)
    device_list_.emplace(IMPRINT_TRY(DeviceListWriter::create(output_.device_list(), plan_)));
  return {};
}

bool BatchRun::produce(Group& group) {
  group.count = 0;
  if (stop_ || aborted()) return false;
  // What shares an appliance is worth waiting for, whatever a key costs.
  const std::size_t wanted = plan_.guest_recipe ? kDevicesPerAppliance : pace_.next();
  if (group.devices.size() < wanted) group.devices.resize(wanted);
  while (group.count < wanted && next_row_ < plan_.devices.size()) {
    if (plan_.limit && taken_ == *plan_.limit) break;
    if (earlier_.done[next_row_]) {
      ++next_row_;
      continue;
    }
    Device& device = group.devices[group.count++];
    device.row = next_row_++;
    device.certificate_row = 0;
    device.error.reset();
    ++taken_;
  }
  return group.count > 0;
}

void BatchRun::mint(Group& group) {
  const StageClocks::Running clock(clocks_.mint);
  const auto started = std::chrono::steady_clock::now();
  Worker& worker = workers_[current_worker()];
  std::size_t made = 0;
  std::size_t begun = 0;
  for (Device& device : group.in_hand()) {
    if (stop_) break;
    ++begun;
    Result<> done = worker.make(device);
    if (!done) device.error = std::move(done).error();
    if (!device.error) ++made;
  }
  pace_.measured(made, std::chrono::steady_clock::now() - started);
  // Asked to stop: what is not begun yet is left for the next run.
  taken_ -= group.count - begun;
  group.count = begun;
}

void BatchRun::record(Group& group) {
  const StageClocks::Running clock(clocks_.record);
  const TimePoint now = clock_.now();
  std::vector<ledger::Issued> issued;
  for (const Device& device : group.in_hand()) {
    if (!device.error) issued.push_back(issued_record(plan_, device, now));
  }
  // Beyond this point the certificates are known, whatever happens to us.
  const PendingOutcomes earlier = take_pending();
  auto first_row = ledger_.record_issued(run_id_, issued, earlier.records());
  if (!first_row) {
    for (Device& device : group.in_hand())
      device.error = first_row.error();
    abort(std::move(first_row).error());
    return;
  }
  std::int64_t row = *first_row;
  for (Device& device : group.in_hand()) {
    if (!device.error) device.certificate_row = row++;
  }
}

void BatchRun::place(Group& group) {
  const StageClocks::Running clock(clocks_.place);
  std::vector<Device*> devices;
  for (Device& device : group.in_hand()) {
    if (!device.error) devices.push_back(&device);
  }
  if (devices.empty()) return;
  sink_->place_group(devices);
  for (const Device* device : devices) {
    // The next device would not find more room than this one.
    if (device->error && device->error->code == Code::no_space) abort(*device->error);
  }
}

void BatchRun::finish(Group& group) {
  const StageClocks::Running clock(clocks_.finish);
  std::vector<Device*> placed;
  for (Device& device : group.in_hand()) {
    if (!device.error) placed.push_back(&device);
  }
  if (!placed.empty()) {
    if (Result<> published = sink_->publish(placed); !published) {
      for (Device* device : placed) {
        if (device->error) continue;
        device->error = published.error();
        // Its output may be there or not. No outcome is recorded: the next run looks and settles
        // it.
        device->certificate_row = 0;
      }
      abort(std::move(published).error());
    }
  }
  for (Device& device : group.in_hand())
    report_outcome(device);
}

void BatchRun::report_outcome(Device& device) {
  if (device.certificate_row != 0) {
    const std::lock_guard lock(mutex_);
    pending_.add(plan_, device, clock_.now());
  }
  if (device.error) {
    ++report_.failed;
    const std::string reason = device.error->message();
    failed_list_.add(device.row, reason);
    observer_.device_failed(device.id, reason);
    return;
  }
  ++report_.done;
  report_.bytes_written += device.overlay.total_bytes();
  if (device_list_) device_list_->add(device);
  observer_.device_done({.id = device.id,
                         .file = device.name,
                         .serial_hex = to_hex(device.identity.serial),
                         .certificate_sha256 = to_hex(device.identity.certificate_sha256)});
}

Result<> BatchRun::conclude() {
  const PendingOutcomes last = take_pending();
  IMPRINT_TRY(ledger_.record_outcomes(last.records()));
  IMPRINT_TRY(
      ledger_.end_run(run_id_, exit_status(report_, abort_reason_.has_value()), clock_.now()));
  if (device_list_) {
    IMPRINT_TRY(device_list_->publish());
  } else {
    IMPRINT_TRY(write_device_list(output_.device_list(), plan_, ledger_));
  }
  IMPRINT_TRY(failed_list_.publish(output_.failed_list(), plan_.devices));
  return write_file_atomic(output_.report(), bytes_of(to_json(plan_.summary, report_)), 0644);
}

void BatchRun::abort(Error error) {
  const std::lock_guard lock(mutex_);
  if (!abort_reason_) abort_reason_ = std::move(error);
}

bool BatchRun::aborted() const {
  const std::lock_guard lock(mutex_);
  return abort_reason_.has_value();
}

PendingOutcomes BatchRun::take_pending() {
  const std::lock_guard lock(mutex_);
  return std::exchange(pending_, {});
}

}  // namespace

Result<BatchReport> run_batch(const BatchPlan& plan, BatchObserver& observer,
                              const std::atomic<bool>& stop, const Clock& clock) {
  const BatchPlan::Impl& impl = plan.impl();
  // From here the output directory is ours alone.
  OutputDirectory output = IMPRINT_TRY(OutputDirectory::open(impl.manifest.output.directory));
  ledger::Ledger ledger = IMPRINT_TRY(ledger::Ledger::open(output.ledger()));
  std::unique_ptr<Sink> sink = IMPRINT_TRY(open_sink(impl, output));
  BatchRun run(impl, observer, stop, clock, std::move(output), std::move(ledger), std::move(sink));
  return run.run();
}

}  // namespace imprint::pipeline
