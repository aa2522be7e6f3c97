#include <map>
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

struct CpOptions {
  std::vector<std::string> places;
  EditCommand::Arguments edit;
  WantedArguments wanted;
  bool recursive = false;
  bool preserve = false;
  bool parents = false;
};

/// The sources of one call, and the images they are in, which are opened once each.
class Sources {
 public:
  Sources(const CpOptions& options, Console& console) : options_(options), console_(console) {}

  Result<std::unique_ptr<files::Source>> open(const std::string& place) {
    const auto address = IMPRINT_TRY(files::parse_place(place));
    if (!address) {
      return place == "-" ? files::stream_source(STDIN_FILENO) : files::host_source(place);
    }
    auto found = views_.find(address->image);
    if (found == views_.end()) {
      auto view = IMPRINT_TRY(open_view(address->image, options_.edit.view, console_));
      found = views_.emplace(address->image, std::move(view)).first;
    }
    auto source = files::image_source(*found->second, address->path);
    if (source) note_of_difference(*found->second, *address, console_);
    return source;
  }

 private:
  const CpOptions& options_;
  Console& console_;
  std::map<fs::path, std::unique_ptr<files::ImageView>> views_;
};

Result<files::CopyOptions> copy_options(const CpOptions& options) {
  files::CopyOptions copy;
  copy.recursive = options.recursive;
  copy.preserve = options.preserve;
  copy.wanted = IMPRINT_TRY(options.wanted.wanted());
  copy.parents =
      options.parents ? files::Changes::Parents::make : files::Changes::Parents::must_exist;
  return copy;
}

/// Several things can only go into a directory.
[[nodiscard]] std::string as_directory(std::string path, bool several) {
  if (several && !path.ends_with('/')) path += '/';
  return path;
}

Result<> copy_into(const files::Address& destination, const std::vector<std::string>& places,
                   const CpOptions& options, Console& console) {
  const files::CopyOptions copy = IMPRINT_TRY(copy_options(options));
  EditCommand command = IMPRINT_TRY(EditCommand::open(destination.image, options.edit, console));
  const bool several = places.size() > 1;
  if (several && !IMPRINT_TRY(command.changes().is_directory(destination.path))) {
    return fail(Code::not_found,
                fmt::format("{} is no directory of {}; several files are copied into a directory",
                            quoted(destination.path), quoted(destination.image.native())));
  }
  Sources sources(options, console);
  for (const std::string& place : places) {
    const auto source = IMPRINT_TRY(sources.open(place));
    IMPRINT_TRY(
        files::copy_in(command.changes(), *source, as_directory(destination.path, several), copy)
            .context(quoted(destination.image.native())));
  }
  return command.finish(console);
}

/// To standard output: the holes of a file come out as zeros.
Result<> print(files::Source& source, Console& console) {
  const auto node = IMPRINT_TRY(source.stat({}));
  if (node.type != image::NodeType::file) {
    return fail(Code::invalid_input, fmt::format("{} is no file", quoted(source.described())));
  }
  const auto content = IMPRINT_TRY(source.content({}));
  constexpr std::uint64_t kPieceBytes = 1U << 20;
  crypto::WipedBytes piece;
  for (std::uint64_t at = 0; at < content->size_bytes(); at += piece.size()) {
    piece.resize(static_cast<std::size_t>(std::min(kPieceBytes, content->size_bytes() - at)));
    IMPRINT_TRY(content->read(at, piece));
    console.out().write(reinterpret_cast<const char*>(piece.data()),
                        static_cast<std::streamsize>(piece.size()));
  }
  if (!console.out().flush()) return fail(Code::io, "writing standard output failed");
  return {};
}

Result<> copy_from(const std::string& destination, const std::vector<std::string>& places,
                   const CpOptions& options, Console& console) {
  const files::CopyOptions copy = IMPRINT_TRY(copy_options(options));
  Sources sources(options, console);
  std::error_code unknown;
  if (places.size() > 1 && destination != "-" && !fs::is_directory(destination, unknown)) {
    return fail(Code::not_found,
                fmt::format("{} is no directory; several files are copied into a directory",
                            quoted(destination)));
  }
  files::CopyOut out;
  for (const std::string& place : places) {
    if (!IMPRINT_TRY(files::parse_place(place))) {
      return fail(
          Code::invalid_input,
          fmt::format("{} and {} are both on this machine: one of them has to be IMAGE:PATH",
                      quoted(place), quoted(destination)));
    }
    const auto source = IMPRINT_TRY(sources.open(place));
    if (destination == "-") {
      IMPRINT_TRY(print(*source, console));
    } else {
      IMPRINT_TRY(out.add(*source, destination, copy));
    }
  }
  for (const std::string& note : out.notes())
    console.note(note);
  return out.publish();
}

Result<> copy(const CpOptions& options, Console& console) {
  std::vector<std::string> places = options.places;
  const std::string destination = std::move(places.back());
  places.pop_back();
  const auto address = IMPRINT_TRY(files::parse_place(destination));
  if (address) return copy_into(*address, places, options, console);
  return copy_from(destination, places, options, console);
}

}  // namespace

Action add_cp(CLI::App& program) {
  auto options = std::make_shared<CpOptions>();
  CLI::App* command = program.add_subcommand("cp", "Copy files into, out of and between images");
  command->footer(std::string(help::kCp));
  command
      ->add_option("PLACES", options->places,
                   "Sources and, last, the destination: files of this machine, IMAGE:PATH, or - "
                   "for standard input and output")
      ->required()
      ->expected(2, -1);
  command->add_flag("-r,--recursive", options->recursive,
                    "Directories too, with everything in them");
  command->add_flag("-p,--preserve", options->preserve,
                    "Keep mode, owner, time and extended attributes of the source");
  command->add_flag("--parents", options->parents,
                    "Make missing directories of the destination (0755)");
  options->wanted.add_to(*command);
  options->edit.add_to(*command);
  return [options](Console& console) {
    const Result<> copied = copy(*options, console);
    return copied ? Exit::done : console.fail(copied.error());
  };
}

}  // namespace imprint::cli
