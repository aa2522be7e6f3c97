#include "imprint/verify/verify.hpp"

#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "command.hpp"
#include "date.hpp"
#include "engine_options.hpp"
#include "help.hpp"
#include "imprint/base/text.hpp"
#include "imprint/pipeline/inject.hpp"
#include "interrupt.hpp"
#include "layout_options.hpp"
#include "unpacking.hpp"

namespace imprint::cli {

namespace {

using Json = nlohmann::ordered_json;
using verify::Check;
using verify::ImageVerdict;
using verify::Outcome;

struct VerifyOptions {
  std::vector<fs::path> places;
  verify::Request request;
  std::string at;
  EngineOptions engine;
  bool json = false;
  bool verbose = false;
};

/// A set of paths or none, as options fill them.
void add_path(CLI::App& command, const std::string& flag, std::optional<fs::path>& path,
              const std::string& help) {
  command.add_option_function<std::string>(
      flag, [&path](const std::string& value) { path = value; }, help);
}

Json verdict_record(const ImageVerdict& verdict) {
  Json checks = Json::array();
  Json skipped = Json::array();
  for (const Check& check : verdict.checks) {
    if (check.outcome == Outcome::skipped) {
      skipped.push_back({{"check", check.name}, {"reason", check.detail}});
    } else {
      checks.push_back({{"check", check.name},
                        {"passed", check.outcome == Outcome::passed},
                        {"detail", check.detail}});
    }
  }
  return {{"image", verdict.image},
          {"passed", verdict.passed()},
          {"device", verdict.device_id},
          {"subject", verdict.certificate_subject},
          {"serial", verdict.serial_hex},
          {"certificate_sha256", verdict.certificate_sha256},
          {"checks", checks},
          {"skipped", skipped}};
}

std::string_view mark_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::passed:
      return "ok";
    case Outcome::failed:
      return "FAIL";
    case Outcome::skipped:
      break;
  }
  return "-";
}

/// Of many images only what is wrong; of one everything.
void print_verdict(std::ostream& out, const ImageVerdict& verdict, bool everything) {
  out << fmt::format("{}: {}\n", printable(verdict.image), verdict.passed() ? "good" : "BAD");
  for (const Check& check : verdict.checks) {
    if (!everything && check.outcome != Outcome::failed) continue;
    out << fmt::format("  {:<4} {:<18} {}\n", mark_of(check.outcome), check.name, check.detail);
  }
}

/// What an interrupted edit has left is finished first, as every command does: an image in between
/// is neither the old one nor the new one.
Result<> finish_edits(const std::vector<fs::path>& places, Console& console) {
  const auto finish = [&console](const fs::path& image) -> Result<> {
    const auto finished = IMPRINT_TRY(pipeline::finish_interrupted(image, system_clock()));
    if (finished) console.note(*finished);
    return {};
  };
  for (const fs::path& place : places) {
    std::error_code error;
    if (fs::is_regular_file(place, error)) {
      IMPRINT_TRY(finish(place));
      continue;
    }
    // What an edit has left is named after its image (image/redo.hpp).
    constexpr std::string_view kEnding = ".imprint-redo";
    fs::directory_iterator entry(place, error);
    for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
      const std::string name = entry->path().filename().string();
      if (!name.starts_with('.') || !name.ends_with(kEnding)) continue;
      IMPRINT_TRY(finish(place / name.substr(1, name.size() - 1 - kEnding.size())));
    }
  }
  return {};
}

/// JSON is printed image by image: a store may have a million.
class Printer {
 public:
  Printer(const VerifyOptions& options, Console& console) : json_(options.json), console_(console) {
    std::error_code error;
    everything_ = options.verbose ||
                  (options.places.size() == 1 && !fs::is_directory(options.places.front(), error));
  }

  void print(const ImageVerdict& verdict) {
    if (json_) {
      console_.out() << (begun_ ? ",\n" : "{\n  \"version\": 1,\n  \"images\": [\n");
      std::string record =
          verdict_record(verdict).dump(2, ' ', false, Json::error_handler_t::replace);
      for (std::size_t at = 0; (at = record.find('\n', at)) != std::string::npos; at += 5)
        record.replace(at, 1, "\n    ");
      console_.out() << "    " << record;
    } else {
      print_verdict(console_.out(), verdict, everything_);
    }
    begun_ = true;
  }

  /// A list that was cut short says so.
  void finish(bool complete) {
    if (json_ && begun_)
      console_.out() << "\n  ],\n  \"complete\": " << (complete ? "true" : "false") << "\n}\n";
    console_.out().flush();
  }

 private:
  bool json_;
  bool everything_ = false;
  bool begun_ = false;
  Console& console_;
};

Exit run_verify_command(VerifyOptions& options, Console& console) {
  verify::Request& request = options.request;
  request.at = system_clock().now();
  if (!options.at.empty()) {
    const auto at = parse_date(options.at).context("--at");
    if (!at) return console.fail(at.error());
    request.at = *at;
  }
  auto engine = options.engine.choice();
  if (!engine) return console.fail(engine.error());
  request.engine = std::move(*engine);
  const InterruptGuard interrupt;
  request.unpacking = unpacking_for(console, &interrupt.requested());
  if (const auto finished = finish_edits(options.places, console); !finished)
    return console.fail(finished.error());

  Printer printer(options, console);
  const auto summary = verify::verify(
      options.places, request, [&printer](const ImageVerdict& verdict) { printer.print(verdict); },
      interrupt.requested());
  printer.finish(summary.has_value());
  if (!summary) return console.fail(summary.error());
  if (summary->failed > 0)
    console.note(fmt::format("{} of {} images failed", summary->failed, summary->images));
  if (summary->failed == 0) return Exit::done;
  return summary->failed == summary->unreadable ? Exit::environment : Exit::failed;
}

}  // namespace

Action add_verify(CLI::App& program) {
  auto options = std::make_shared<VerifyOptions>();
  verify::Request& request = options->request;
  CLI::App* command = program.add_subcommand("verify", "Prove that images carry what they should");
  command->footer(std::string(help::kVerify));
  command
      ->add_option("IMAGES", options->places,
                   "Disk images, overlay stores, and directories of them")
      ->required();
  command->add_option("--ca", request.authorities,
                      "CA certificates to trust: PEM files or CA folders (repeat as needed)");
  command->add_option("--crl", request.crls, "CRLs of these CAs, PEM or DER (repeat as needed)");
  command->add_option(
      "--at", options->at,
      "Check validity at this date instead of now: 2030-01-31 or 2030-01-31T12:00:00Z");
  add_path(*command, "--ledger", request.ledger,
           "Ledger that has to know the certificates (default: a directory's own ledger.db)");
  add_path(*command, "--manifest", request.manifest, "Manifest whose devices these have to be");
  add_path(*command, "--golden", request.golden,
           "Golden image from which only the devices' own files may differ");
  add_path(*command, "--bmap", request.bmap,
           "Block map of the image (default: IMAGE.bmap where there is one)");
  add_path(*command, "--base", request.base, "Where an overlay store's base image is now");
  command->add_flag(
      "-q,--quick", request.quick,
      "Leave out what reads all of an image: copies of keys, golden image, block map");
  command->add_option("-j,--jobs", request.jobs, "Threads (default: all processors)");
  add_layout_options(*command, request.layout);
  add_engine_options(*command, options->engine);
  command->add_flag("-v,--verbose", options->verbose, "Print all checks, also of many images");
  command->add_flag("--json", options->json, "Print the verdicts as JSON");
  return [options](Console& console) { return run_verify_command(*options, console); };
}

}  // namespace imprint::cli
