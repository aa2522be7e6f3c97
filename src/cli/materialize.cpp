#include "imprint/pipeline/materialize.hpp"

#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "command.hpp"
#include "help.hpp"
#include "unpacking.hpp"

namespace imprint::cli {

namespace {

Exit run_materialize_command(pipeline::MaterializeRequest& request, Console& console) {
  request.unpacking = unpacking_for(console);
  const auto report = pipeline::materialize(request);
  if (!report) return console.fail(report.error());
  console.note(fmt::format(
      "{}: image of '{}'{}", report->image.string(), report->id,
      report->bmap ? fmt::format(", block map {}", report->bmap->string()) : std::string()));
  return Exit::done;
}

}  // namespace

Action add_materialize(CLI::App& program) {
  auto request = std::make_shared<pipeline::MaterializeRequest>();
  request->output = ".";
  CLI::App* command =
      program.add_subcommand("materialize", "Make a full image from an overlay store");
  command->footer(std::string(help::kMaterialize));
  command->add_option("STORE", request->store, "Overlay store (overlays.db) of a batch")
      ->required();
  command->add_option("--id", request->id, "The device")->required();
  command->add_option("--output", request->output,
                      "Image to write, or a directory (default: here, under the store's name)");
  command->add_option("--base", request->base, "The batch's base image, if it has moved");
  command->add_flag("--force", request->force, "Overwrite an existing image");
  return [request](Console& console) { return run_materialize_command(*request, console); };
}

}  // namespace imprint::cli
