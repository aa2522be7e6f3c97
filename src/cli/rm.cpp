#include <memory>

#include <CLI/CLI.hpp>

#include "command.hpp"
#include "file_options.hpp"
#include "help.hpp"
#include "imprint/base/text.hpp"

namespace imprint::cli {

namespace {

struct RmOptions {
  std::vector<std::string> places;
  EditCommand::Arguments edit;
  files::Changes::RemoveOptions remove;
};

Result<> remove(const RmOptions& options, Console& console) {
  const OneImage where = IMPRINT_TRY(one_image(options.places));
  EditCommand command = IMPRINT_TRY(EditCommand::open(where.image, options.edit, console));
  for (const std::string& path : where.paths)
    IMPRINT_TRY(
        command.changes().remove(path, options.remove).context(quoted(where.image.native())));
  return command.finish(console);
}

}  // namespace

Action add_rm(CLI::App& program) {
  auto options = std::make_shared<RmOptions>();
  CLI::App* command = program.add_subcommand("rm", "Remove files from an image");
  command->footer(std::string(help::kRm));
  command->add_option("PLACES", options->places, "What to remove, all in one image: IMAGE:PATH")
      ->required();
  command->add_flag("-r,--recursive", options->remove.recursive,
                    "Directories too, with everything in them");
  command->add_flag("-f,--force", options->remove.missing_is_fine,
                    "What does not exist is no error");
  options->edit.add_to(*command);
  return [options](Console& console) {
    const Result<> removed = remove(*options, console);
    return removed ? Exit::done : console.fail(removed.error());
  };
}

}  // namespace imprint::cli
