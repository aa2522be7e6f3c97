#include "file_options.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "date.hpp"
#include "edit_time.hpp"
#include "imprint/base/text.hpp"
#include "imprint/image/selinux.hpp"
#include "imprint/pipeline/inject.hpp"
#include "layout_options.hpp"
#include "unpacking.hpp"

namespace imprint::cli {

void ViewArguments::add_to(CLI::App& command) {
  CLI::Option* part = command.add_option(
      "--part", partition, "Paths are of this partition, by number, and nothing is mounted in it");
  command
      .add_option("--rootfs", root,
                  "Which root file system: a, b or both (default: both; reading takes the first "
                  "that has the path)")
      ->excludes(part);
  add_layout_options(command, layout);
  add_engine_options(command, engine);
}

Result<files::ViewOptions> ViewArguments::options() const {
  files::ViewOptions options;
  const pipeline::EngineChoice choice = IMPRINT_TRY(engine.choice());
  options.engine = choice.engine;
  options.appliance = pipeline::appliance_options(choice);
  options.layout = layout;
  options.partition = partition;
  if (root == "a") {
    options.root = files::RootChoice::a;
  } else if (root == "b") {
    options.root = files::RootChoice::b;
  } else if (!root.empty() && root != "both") {
    return fail(Code::invalid_input,
                fmt::format("--rootfs: {} is none of a, b, both", quoted(root)));
  }
  return options;
}

void WantedArguments::add_to(CLI::App& command) {
  command.add_option("-m,--mode", mode, "Mode, in octal: 0600 and 600 are the same");
  command.add_option("--owner", owner, "Owner, by numbers: UID:GID");
  command.add_option("--mtime", modified, "Time of modification: 2030-01-31T12:00:00Z");
  command.add_option("--xattr", extended_attributes,
                     "Extended attribute: NAME=TEXT or NAME=0xHEX (repeat as needed)");
  command.add_option("--selinux", selinux, "SELinux label: USER:ROLE:TYPE[:LEVEL]");
}

Result<files::Wanted> WantedArguments::wanted() const {
  files::Wanted wanted;
  if (!mode.empty()) wanted.mode = IMPRINT_TRY(files::parse_mode(mode).context("--mode"));
  if (!owner.empty()) {
    const files::Owner parsed = IMPRINT_TRY(files::parse_owner(owner).context("--owner"));
    wanted.uid = parsed.uid;
    wanted.gid = parsed.gid;
  }
  if (!modified.empty()) wanted.modified = IMPRINT_TRY(parse_date(modified).context("--mtime"));
  for (const std::string& text : extended_attributes) {
    auto attribute = IMPRINT_TRY(files::parse_extended_attribute(text).context("--xattr"));
    wanted.extended_attributes.push_back(std::move(attribute));
  }
  if (!selinux.empty()) {
    auto label = IMPRINT_TRY(image::selinux_label(selinux).context("--selinux"));
    wanted.extended_attributes.push_back(std::move(label));
  }
  return wanted;
}

Result<std::unique_ptr<files::ImageView>> open_view(const fs::path& image,
                                                    const ViewArguments& arguments,
                                                    Console& console) {
  const files::ViewOptions options = IMPRINT_TRY(arguments.options());
  const auto finished = IMPRINT_TRY(pipeline::finish_interrupted(image, system_clock()));
  if (finished) console.note(*finished);
  image::Unpacking unpacking = unpacking_for(console);
  unpacking.directory = image::temporary_directory();
  return files::ImageView::open(image, options, unpacking);
}

void note_of_difference(files::ImageView& view, const files::Address& address, Console& console) {
  const auto differs = view.differs_in_b(address.path);
  // What cannot be compared is not worth a message: what was asked for has been read.
  if (differs && *differs) {
    console.note(
        fmt::format("{} differs in rootfs B, which --rootfs b shows", quoted(address.path)));
  }
}

void EditCommand::Arguments::add_to(CLI::App& command) {
  view.add_to(command);
  command.add_flag("--sync", sync,
                   "Wait for the disk at every step: whole also after a power cut in the middle");
}

Result<EditCommand> EditCommand::open(const fs::path& image, const Arguments& arguments,
                                      Console& console) {
  const files::ViewOptions options = IMPRINT_TRY(arguments.view.options());
  const TimePoint now = IMPRINT_TRY(edit_time(system_clock()));
  const auto finished = IMPRINT_TRY(pipeline::finish_interrupted(image, system_clock()));
  if (finished) console.note(*finished);
  EditCommand command;
  command.sync_ = arguments.sync;
  command.edit_ = IMPRINT_TRY(files::ImageEdit::open(image, options, now));
  command.changes_ = std::make_unique<files::Changes>(*command.edit_);
  return command;
}

Result<> EditCommand::finish(Console& console) {
  for (const std::string& note : changes_->notes())
    console.note(note);
  IMPRINT_TRY(changes_->finish(sync_ ? image::Survives::power_cut : image::Survives::kill));
  return {};
}

Result<OneImage> one_image(const std::vector<std::string>& arguments) {
  OneImage found;
  for (const std::string& argument : arguments) {
    auto address = IMPRINT_TRY(files::parse_address(argument));
    if (!address.names_path) {
      return fail(Code::invalid_input,
                  fmt::format("{} names no path: give IMAGE:PATH", quoted(argument)));
    }
    if (!found.paths.empty() && address.image != found.image) {
      return fail(Code::invalid_input,
                  fmt::format("{} and {} are two images; a command changes one, so that it does "
                              "all or nothing",
                              quoted(found.image.native()), quoted(address.image.native())));
    }
    found.image = std::move(address.image);
    found.paths.push_back(std::move(address.path));
  }
  return found;
}

}  // namespace imprint::cli
