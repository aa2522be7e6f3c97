#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "command.hpp"
#include "file_options.hpp"
#include "help.hpp"
#include "imprint/base/text.hpp"

namespace imprint::cli {

namespace {

struct CatOptions {
  std::vector<std::string> places;
  ViewArguments view;
};

/// Holes come out as the zeros they stand for.
class ZeroFilling {
 public:
  explicit ZeroFilling(std::ostream& out) : out_(out) {}

  Result<> write(std::uint64_t offset, ByteView bytes) {
    IMPRINT_TRY(fill_to(offset));
    at_ += bytes.size();
    return put(bytes);
  }

  Result<> fill_to(std::uint64_t offset) {
    const Bytes zeros(1U << 16);
    while (at_ < offset) {
      const auto length =
          static_cast<std::size_t>(std::min<std::uint64_t>(offset - at_, zeros.size()));
      IMPRINT_TRY(put(ByteView(zeros).first(length)));
      at_ += length;
    }
    return {};
  }

 private:
  Result<> put(ByteView bytes) {
    out_.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    if (!out_) return fail(Code::io, "writing standard output failed");
    return {};
  }

  std::ostream& out_;
  std::uint64_t at_ = 0;
};

Result<> print(const std::string& place, const CatOptions& options, Console& console) {
  const files::Address address = IMPRINT_TRY(files::parse_address(place));
  if (!address.names_path) {
    return fail(Code::invalid_input,
                fmt::format("{} names no path: give IMAGE:PATH", quoted(place)));
  }
  const auto view = IMPRINT_TRY(open_view(address.image, options.view, console));
  const auto location = IMPRINT_TRY(view->find(address.path));
  if (location.node->type == image::NodeType::directory) {
    return fail(Code::invalid_input, fmt::format("{} is a directory", quoted(place)));
  }
  ZeroFilling out(console.out());
  const auto write = [&out](std::uint64_t offset, ByteView bytes) {
    return out.write(offset, bytes);
  };
  IMPRINT_TRY(location.file_system->read(location.path, write).context(quoted(place)));
  IMPRINT_TRY(out.fill_to(location.node->size_bytes));
  note_of_difference(*view, address, console);
  return {};
}

}  // namespace

Action add_cat(CLI::App& program) {
  auto options = std::make_shared<CatOptions>();
  CLI::App* command = program.add_subcommand("cat", "Print files of images");
  command->footer(std::string(help::kCat));
  command->add_option("PLACES", options->places, "Files to print, one after the other: IMAGE:PATH")
      ->required();
  options->view.add_to(*command);
  return [options](Console& console) {
    for (const std::string& place : options->places) {
      if (const Result<> printed = print(place, *options, console); !printed)
        return console.fail(printed.error());
    }
    return Exit::done;
  };
}

}  // namespace imprint::cli
