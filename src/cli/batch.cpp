#include "imprint/pipeline/batch.hpp"

#include <condition_variable>
#include <fstream>
#include <memory>
#include <mutex>
#include <thread>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "command.hpp"
#include "engine_options.hpp"
#include "help.hpp"
#include "interrupt.hpp"
#include "layout_options.hpp"
#include "progress.hpp"
#include "unpacking.hpp"

namespace imprint::cli {

namespace {

struct BatchOptions {
  EngineOptions engine;
  pipeline::BatchRequest request;
  std::string format;
  std::string events;
  bool dry_run = false;
  bool json = false;
  bool quiet = false;
};

/// Passes what happens on to everybody who listens, and the time to the progress line. One lock for
/// both: the line and the messages go to the same terminal.
class Listeners final : public pipeline::BatchObserver {
 public:
  void add(std::unique_ptr<BatchObserver> listener) { listeners_.push_back(std::move(listener)); }

  void add_progress(std::unique_ptr<Progress> progress) {
    progress_ = progress.get();
    add(std::move(progress));
    ticker_ = std::jthread([this](const std::stop_token& stop) { tick(stop); });
  }

  void batch_started(const pipeline::PlanSummary& plan, std::uint64_t to_do,
                     std::uint64_t done_before) override {
    const std::lock_guard lock(mutex_);
    for (const auto& listener : listeners_)
      listener->batch_started(plan, to_do, done_before);
  }

  void device_done(const DeviceDone& device) override {
    const std::lock_guard lock(mutex_);
    for (const auto& listener : listeners_)
      listener->device_done(device);
  }

  void device_failed(std::string_view id, std::string_view reason) override {
    const std::lock_guard lock(mutex_);
    for (const auto& listener : listeners_)
      listener->device_failed(id, reason);
  }

  void batch_finished(const pipeline::BatchReport& report) override {
    const std::lock_guard lock(mutex_);
    for (const auto& listener : listeners_)
      listener->batch_finished(report);
  }

 private:
  void tick(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
      woken_.wait_for(lock, stop, std::chrono::milliseconds(500), [] { return false; });
      if (!stop.stop_requested()) progress_->tick();
    }
  }

  std::mutex mutex_;
  std::condition_variable_any woken_;
  std::vector<std::unique_ptr<BatchObserver>> listeners_;
  Progress* progress_ = nullptr;
  std::jthread ticker_;  // last: it uses all of the above until it has ended
};

/// For people: the plan's notes once the batch is on its way (an error before that stands alone),
/// and failures as they happen, one line each. The list for machines is failed.csv.
class Narrator final : public pipeline::BatchObserver {
 public:
  explicit Narrator(Console& console) : console_(console) {}

  void batch_started(const pipeline::PlanSummary& plan, std::uint64_t /*to_do*/,
                     std::uint64_t /*done_before*/) override {
    for (const std::string& note : plan.notes)
      console_.note(note);
  }

  void device_failed(std::string_view id, std::string_view reason) override {
    if (console_.live()) console_.err() << "\r\033[K";
    console_.note(fmt::format("device '{}' failed: {}", id, reason));
  }

 private:
  Console& console_;
};

void print_plan(Console& console, const pipeline::PlanSummary& plan) {
  constexpr double kMebibyte = 1024.0 * 1024.0;
  std::ostream& out = console.out();
  out << fmt::format("devices      {}\n", plan.devices)
      << fmt::format("image        {}\n", plan.image)
      << fmt::format("golden image {:.16}\n", plan.golden_digest)
      << fmt::format("authority    {}\n", plan.authority)
      << fmt::format("key          {}\n", plan.key)
      << fmt::format("profile      {}\n", plan.profile)
      << fmt::format("subject      {}\n", plan.subject.empty()
                                              ? "(empty)"
                                              : fmt::format("{}", fmt::join(plan.subject, ", ")));
  for (const std::string& name : plan.alt_names)
    out << "name         " << name << '\n';
  for (const std::string& extension : plan.extensions)
    out << "extension    " << extension << '\n';
  out << fmt::format("valid        {} to {}\n", plan.not_before, plan.not_after)
      << fmt::format("output       {} ({}{})\n", plan.output_directory, plan.format,
                     plan.reflink ? ", reflink" : "")
      << fmt::format("room         {:.1f} MiB needed, {:.1f} MiB free\n",
                     static_cast<double>(plan.bytes_needed) / kMebibyte,
                     static_cast<double>(plan.bytes_free) / kMebibyte);
  if (plan.key_seconds)
    out << fmt::format("keys         about {} to make\n", duration_text(*plan.key_seconds));
  for (const std::string& setting : plan.settings)
    out << "setting      " << setting << '\n';
  for (const std::string& file : plan.shared_files)
    out << "shared file  " << file << '\n';
  for (const std::string& file : plan.placed_files)
    out << "file         " << file << '\n';
  for (const std::string& note : plan.notes)
    out << "note         " << note << '\n';
}

void print_report(Console& console, const pipeline::PlanSummary& plan,
                  const pipeline::BatchReport& report) {
  const double rate = report.seconds > 0 ? static_cast<double>(report.done) / report.seconds : 0;
  const std::string before =
      report.done_before > 0 ? fmt::format(", {} done before", report.done_before) : std::string();
  const std::string failed = report.failed > 0 ? fmt::format(", {} failed (see {}/failed.csv)",
                                                             report.failed, plan.output_directory)
                                               : std::string();
  console.note(fmt::format("{} of {} devices done in {}{}{}, {:.{}f} devices/s; results in {}",
                           report.done, report.devices, duration_text(report.seconds), before,
                           failed, rate, rate < 10 ? 1 : 0, plan.output_directory));
  if (report.superseded > 0) {
    console.note(
        fmt::format("{} certificates of an interrupted run are in no image: take them back "
                    "with imprint ca revoke --superseded --ledger {}/ledger.db",
                    report.superseded, plan.output_directory));
  }
  if (report.interrupted) console.note("interrupted: run the same command again to go on");
}

Exit run_batch_command(BatchOptions& options, Console& console) {
  const Clock& clock = system_clock();
  const InterruptGuard interrupt;
  if (!options.format.empty()) {
    const auto format = manifest::parse_output_format(options.format);
    if (!format) return console.fail(Error(format.error()).context("--format"));
    options.request.overrides.format = *format;
  }

  options.request.time_keys = options.dry_run;
  options.request.unpacking = unpacking_for(console, &interrupt.requested());
  auto engine = options.engine.choice();
  if (!engine) return console.fail(engine.error());
  options.request.engine = std::move(*engine);
  if (options.dry_run) options.request.unpacking.directory = image::temporary_directory();
  const auto plan = pipeline::BatchPlan::make(options.request, clock);
  if (!plan) return console.fail(plan.error());
  for (const std::string& warning : plan->summary().warnings)
    console.warn(warning);
  if (options.dry_run) {
    if (options.json) {
      console.out() << pipeline::to_json(plan->summary());
    } else {
      print_plan(console, plan->summary());
    }
    return Exit::done;
  }

  Listeners listeners;
  std::ofstream event_file;
  if (!options.events.empty()) {
    if (options.events != "-") {
      event_file.open(options.events, std::ios::app);
      if (!event_file)
        return console.fail(system_error(fmt::format("--events '{}'", options.events)));
    }
    std::ostream& stream = options.events == "-" ? console.out() : event_file;
    listeners.add(std::make_unique<pipeline::EventWriter>(stream, clock));
  }
  if (!options.quiet) {
    listeners.add(std::make_unique<Narrator>(console));
    if (console.live()) listeners.add_progress(std::make_unique<Progress>(console.err()));
  }

  const auto report = pipeline::run_batch(*plan, listeners, interrupt.requested(), clock);
  if (!report) return console.fail(report.error());
  for (const std::string& warning : report->warnings)
    console.warn(warning);
  if (options.json && options.events != "-")
    console.out() << pipeline::to_json(plan->summary(), *report);
  if (!options.quiet) print_report(console, plan->summary(), *report);
  if (report->interrupted) return Exit::interrupted;
  return report->failed > 0 ? Exit::some_failed : Exit::done;
}

}  // namespace

Action add_batch(CLI::App& program) {
  auto options = std::make_shared<BatchOptions>();
  CLI::App* command = program.add_subcommand("batch", "Make every device of a manifest");
  command->footer(std::string(help::kBatch));
  command
      ->add_option("MANIFEST", options->request.manifest,
                   "What to make: a JSON document (docs/manifest.md)")
      ->required();
  command->add_flag("--dry-run", options->dry_run,
                    "Check everything and print the plan; write nothing");
  command->add_flag("--json", options->json,
                    "Print the plan or the report as JSON on standard output");
  command
      ->add_option("--jobs", options->request.jobs,
                   "Threads to use (default: all that this process may use)")
      ->check(CLI::Range(1, 1024));
  command
      ->add_option("--limit", options->request.limit, "Make at most this many devices in this run")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 32));
  command->add_option("--output", options->request.overrides.output_directory,
                      "Output directory instead of the manifest's");
  command->add_option("--format", options->format,
                      "'image' (one file a device) or 'overlay' (one store for all)");
  command->add_option("--image", options->request.overrides.image,
                      "Base image instead of the manifest's");
  command->add_option("--devices", options->request.overrides.devices,
                      "Device list instead of the manifest's");
  command->add_option("--events", options->events,
                      "Append one JSON line per event to this file ('-': standard output)");
  add_layout_options(*command, options->request.overrides.layout);
  add_engine_options(*command, options->engine);
  command->add_flag("--quiet", options->quiet, "Only warnings and errors");
  return [options](Console& console) { return run_batch_command(*options, console); };
}

}  // namespace imprint::cli
