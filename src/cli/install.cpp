#include <memory>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "command.hpp"
#include "file_options.hpp"
#include "help.hpp"
#include "imprint/base/text.hpp"
#include "imprint/files/copy.hpp"

namespace imprint::cli {

namespace {

constexpr unsigned kDirectoryMode = 0755;

struct InstallOptions {
  std::vector<std::string> places;
  EditCommand::Arguments edit;
  WantedArguments wanted;
  bool directories = false;
  bool parents = false;
};

Result<> make_directories(const InstallOptions& options, Console& console) {
  const files::Wanted wanted = IMPRINT_TRY(options.wanted.wanted());
  const OneImage where = IMPRINT_TRY(one_image(options.places));
  EditCommand command = IMPRINT_TRY(EditCommand::open(where.image, options.edit, console));
  for (const std::string& path : where.paths) {
    IMPRINT_TRY(command.changes()
                    .make_directory(path, wanted, kDirectoryMode, files::Changes::Parents::make)
                    .context(quoted(where.image.native())));
  }
  return command.finish(console);
}

Result<> install(const InstallOptions& options, Console& console) {
  if (options.directories) return make_directories(options, console);
  std::vector<std::string> sources = options.places;
  const std::string destination = std::move(sources.back());
  sources.pop_back();
  if (sources.empty()) {
    return fail(Code::invalid_input, "give what to install and where: FILE... IMAGE:PATH");
  }
  const OneImage where = IMPRINT_TRY(one_image({destination}));
  files::CopyOptions copy;
  copy.wanted = IMPRINT_TRY(options.wanted.wanted());
  copy.parents =
      options.parents ? files::Changes::Parents::make : files::Changes::Parents::must_exist;
  if (!copy.wanted.mode) {
    return fail(Code::invalid_input, "say which mode the files are to have, in octal: -m 0600");
  }
  // Unlike cp: what is installed belongs to root, whatever was there before.
  copy.wanted.uid = copy.wanted.uid.value_or(0);
  copy.wanted.gid = copy.wanted.gid.value_or(0);
  copy.wanted.as_far_as_possible =
      options.wanted.owner.empty() && copy.wanted.extended_attributes.empty();

  EditCommand command = IMPRINT_TRY(EditCommand::open(where.image, options.edit, console));
  std::string path = where.paths.front();
  if (sources.size() > 1 && !path.ends_with('/')) path += '/';
  for (const std::string& place : sources) {
    const auto source =
        IMPRINT_TRY(place == "-" ? files::stream_source(STDIN_FILENO) : files::host_source(place));
    IMPRINT_TRY(files::copy_in(command.changes(), *source, path, copy)
                    .context(quoted(where.image.native())));
  }
  return command.finish(console);
}

}  // namespace

Action add_install(CLI::App& program) {
  auto options = std::make_shared<InstallOptions>();
  CLI::App* command =
      program.add_subcommand("install", "Put files into an image, with the mode they are to have");
  command->footer(std::string(help::kInstall));
  command
      ->add_option("PLACES", options->places,
                   "Files (- for standard input) and, last, where they go as IMAGE:PATH; with -d, "
                   "directories")
      ->required();
  command->add_flag("-d,--directory", options->directories,
                    "Make these directories, and missing ones on the way");
  command->add_flag("-D,--parents", options->parents, "Make missing directories on the way (0755)");
  options->wanted.add_to(*command);
  options->edit.add_to(*command);
  return [options](Console& console) {
    const Result<> installed = install(*options, console);
    return installed ? Exit::done : console.fail(installed.error());
  };
}

}  // namespace imprint::cli
