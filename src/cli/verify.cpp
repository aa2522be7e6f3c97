#include "imprint/pipeline/verify.hpp"

#include <algorithm>
#include <chrono>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "command.hpp"
#include "date.hpp"
#include "engine_options.hpp"
#include "help.hpp"
#include "imprint/pipeline/inject.hpp"
#include "layout_options.hpp"
#include "unpacking.hpp"

namespace imprint::cli {

namespace {

struct VerifyOptions {
  image::LayoutChoice layout;
  std::vector<fs::path> images;
  std::vector<fs::path> authorities;
  std::string at;
  EngineOptions engine;
  bool json = false;
};

Result<pipeline::VerifyRequest> make_request(const VerifyOptions& options) {
  pipeline::VerifyRequest request;
  request.layout = options.layout;
  request.at = options.at.empty() ? system_clock().now()
                                  : IMPRINT_TRY(parse_date(options.at).context("--at"));
  for (const fs::path& file : options.authorities) {
    const Bytes pem = IMPRINT_TRY(read_file(file).context("--ca"));
    auto certificates = IMPRINT_TRY(
        crypto::Certificate::parse_all(pem).context(fmt::format("--ca '{}'", file.string())));
    std::move(certificates.begin(), certificates.end(), std::back_inserter(request.trusted));
  }
  return request;
}

nlohmann::ordered_json verdict_record(const pipeline::ImageVerdict& verdict) {
  nlohmann::ordered_json checks = nlohmann::ordered_json::array();
  for (const pipeline::Check& check : verdict.checks) {
    checks.push_back({{"check", check.name}, {"passed", check.passed}, {"detail", check.detail}});
  }
  return {{"image", verdict.image.string()},
          {"passed", verdict.passed()},
          {"subject", verdict.certificate_subject},
          {"serial", verdict.serial_hex},
          {"certificate_sha256", verdict.certificate_sha256},
          {"checks", checks}};
}

void print_verdict(std::ostream& out, const pipeline::ImageVerdict& verdict) {
  out << fmt::format("{}: {}\n", verdict.image.string(), verdict.passed() ? "good" : "BAD");
  for (const pipeline::Check& check : verdict.checks) {
    out << fmt::format("  {:<4} {:<14} {}\n", check.passed ? "ok" : "FAIL", check.name,
                       check.detail);
  }
}

Exit run_verify_command(const VerifyOptions& options, Console& console) {
  auto request = make_request(options);
  if (!request) return console.fail(request.error());
  request->unpacking = unpacking_for(console);
  auto engine = options.engine.choice();
  if (!engine) return console.fail(engine.error());
  request->engine = std::move(*engine);
  nlohmann::ordered_json records = nlohmann::ordered_json::array();
  std::size_t bad = 0;
  for (const fs::path& image : options.images) {
    const auto finished = pipeline::finish_interrupted(image, system_clock());
    if (!finished) return console.fail(finished.error());
    if (*finished) console.note(**finished);
    const pipeline::ImageVerdict verdict = pipeline::verify_image(image, *request);
    if (!verdict.passed()) ++bad;
    if (options.json) {
      records.push_back(verdict_record(verdict));
    } else {
      print_verdict(console.out(), verdict);
    }
  }
  if (options.json) {
    const nlohmann::ordered_json document = {{"version", 1}, {"images", records}};
    console.out() << document.dump(2) << '\n';
  }
  if (bad > 0) console.note(fmt::format("{} of {} images failed", bad, options.images.size()));
  return bad > 0 ? Exit::failed : Exit::done;
}

}  // namespace

Action add_verify(CLI::App& program) {
  auto options = std::make_shared<VerifyOptions>();
  CLI::App* command = program.add_subcommand("verify", "Prove that images carry what they should");
  command->footer(std::string(help::kVerify));
  command->add_option("IMAGE", options->images, "Disk images")->required();
  command->add_option("--ca", options->authorities,
                      "CA certificates to trust (PEM; repeat as needed)");
  command->add_option(
      "--at", options->at,
      "Check validity at this date instead of now: 2030-01-31 or 2030-01-31T12:00:00Z");
  add_layout_options(*command, options->layout);
  add_engine_options(*command, options->engine);
  command->add_flag("--json", options->json, "Print the verdicts as JSON");
  return [options](Console& console) { return run_verify_command(*options, console); };
}

}  // namespace imprint::cli
