#include <memory>

#include <CLI/CLI.hpp>

#include "command.hpp"
#include "file_options.hpp"
#include "help.hpp"
#include "imprint/base/text.hpp"

namespace imprint::cli {

namespace {

constexpr unsigned kDirectoryMode = 0755;

struct MkdirOptions {
  std::vector<std::string> places;
  EditCommand::Arguments edit;
  WantedArguments wanted;
  bool parents = false;
};

Result<> make(const MkdirOptions& options, Console& console) {
  const files::Wanted wanted = IMPRINT_TRY(options.wanted.wanted());
  const OneImage where = IMPRINT_TRY(one_image(options.places));
  EditCommand command = IMPRINT_TRY(EditCommand::open(where.image, options.edit, console));
  const auto parents =
      options.parents ? files::Changes::Parents::make : files::Changes::Parents::must_exist;
  for (const std::string& path : where.paths) {
    IMPRINT_TRY(command.changes()
                    .make_directory(path, wanted, kDirectoryMode, parents)
                    .context(quoted(where.image.native())));
  }
  return command.finish(console);
}

}  // namespace

Action add_mkdir(CLI::App& program) {
  auto options = std::make_shared<MkdirOptions>();
  CLI::App* command = program.add_subcommand("mkdir", "Make directories in an image");
  command->footer(std::string(help::kMkdir));
  command
      ->add_option("PLACES", options->places, "Directories to make, all in one image: IMAGE:PATH")
      ->required();
  command->add_flag("-p,--parents", options->parents,
                    "Missing ones on the way too (0755); one that is there is no error");
  options->wanted.add_to(*command);
  options->edit.add_to(*command);
  return [options](Console& console) {
    const Result<> made = make(*options, console);
    return made ? Exit::done : console.fail(made.error());
  };
}

}  // namespace imprint::cli
