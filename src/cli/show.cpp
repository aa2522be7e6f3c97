#include <algorithm>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "command.hpp"
#include "date.hpp"
#include "file_options.hpp"
#include "help.hpp"
#include "imprint/base/text.hpp"
#include "imprint/inspect/inspect.hpp"

namespace imprint::cli {

namespace {

using inspect::Entry;
using Json = nlohmann::ordered_json;

struct ShowOptions {
  std::vector<fs::path> places;
  ViewArguments view;
  std::string within;
  std::string at;
  bool json = false;
};

/// What ends before a moment, the first to end first.
std::vector<const Entry*> ending_by(const std::vector<Entry>& entries, TimePoint moment) {
  std::vector<const Entry*> ending;
  for (const Entry& entry : entries) {
    if (entry.ends && *entry.ends <= moment) ending.push_back(&entry);
  }
  std::ranges::stable_sort(ending, {}, [](const Entry* entry) { return *entry->ends; });
  return ending;
}

void print_text(const std::vector<Entry>& entries, std::ostream& out) {
  bool first = true;
  for (const Entry& entry : entries) {
    out << (first ? "" : "\n") << printable(entry.place) << '\n';
    first = false;
    const auto line = [&out](std::string_view label, std::string_view text) {
      out << fmt::format("  {:<19} {}\n", label, text);
    };
    line(inspect::word(entry.kind), entry.name);
    for (const inspect::Fact& fact : entry.facts)
      line(fact.label, fact.text);
    for (const std::string& warning : entry.warnings)
      line("warning", warning);
  }
}

void print_json(const std::vector<Entry>& entries, std::ostream& out) {
  Json record = {{"version", 1}, {"entries", Json::array()}};
  for (const Entry& entry : entries) {
    Json facts = Json::object();
    for (const inspect::Fact& fact : entry.facts) {
      std::string key(fact.label);
      std::ranges::replace(key, ' ', '_');
      // Roots of one image that differ say the same of themselves, each in its turn.
      if (facts.contains(key)) {
        facts[key] = fmt::format("{}; {}", facts[key].get<std::string>(), fact.text);
      } else {
        facts[key] = fact.text;
      }
    }
    record["entries"].push_back({{"place", entry.place},
                                 {"kind", inspect::word(entry.kind)},
                                 {"name", entry.name},
                                 {"facts", std::move(facts)},
                                 {"ends", entry.ends ? Json(to_rfc3339(*entry.ends)) : Json()},
                                 {"warnings", entry.warnings}});
  }
  out << record.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
}

/// For a monitor: something that ends in time, or that nobody can read, is a failure, and each is
/// named.
Exit judge(const std::vector<Entry>& entries, TimePoint now, std::chrono::seconds within,
           Console& console) {
  const std::vector<const Entry*> ending = ending_by(entries, now + within);
  for (const Entry* entry : ending) {
    console.warn(fmt::format("{}: {} {} {} on {}", printable(entry->place),
                             inspect::word(entry->kind), quoted(entry->name),
                             *entry->ends < now ? "ended" : "ends", to_rfc3339(*entry->ends)));
  }
  bool damaged = false;
  for (const Entry& entry : entries) {
    if (!entry.damaged) continue;
    damaged = true;
    console.warn(fmt::format("{}: {}", printable(entry.place), entry.warnings.front()));
  }
  return ending.empty() && !damaged ? Exit::done : Exit::failed;
}

Exit run_show(const ShowOptions& options, Console& console) {
  TimePoint now = system_clock().now();
  if (!options.at.empty()) {
    const auto at = parse_date(options.at).context("--at");
    if (!at) return console.fail(at.error());
    now = *at;
  }
  std::optional<std::chrono::seconds> within;
  if (!options.within.empty()) {
    const auto span = parse_span(options.within).context("--within");
    if (!span) return console.fail(span.error());
    within = *span;
  }
  const auto open = [&options, &console](const fs::path& image) {
    return open_view(image, options.view, console);
  };
  const auto entries = inspect::look_at(options.places, {.now = now, .open_image = open});
  if (!entries) return console.fail(entries.error());
  if (options.json) {
    print_json(*entries, console.out());
  } else {
    print_text(*entries, console.out());
  }
  return within ? judge(*entries, now, *within, console) : Exit::done;
}

}  // namespace

Action add_show(CLI::App& program) {
  auto options = std::make_shared<ShowOptions>();
  CLI::App* command = program.add_subcommand(
      "show", "Explain certificates, keys, CRLs, folders of them, and images");
  command->footer(std::string(help::kShow));
  command->add_option("PLACES", options->places, "Files, folders and images")->required();
  command->add_option("--within", options->within,
                      "Fail (exit status 1) when something ends within this time: 90d, 12h, 4w");
  command->add_option("--at", options->at, "Look at it as on this date instead of now");
  command->add_flag("--json", options->json, "Print it as JSON");
  options->view.add_to(*command);
  return [options](Console& console) { return run_show(*options, console); };
}

}  // namespace imprint::cli
