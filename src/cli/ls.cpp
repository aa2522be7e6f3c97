#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "command.hpp"
#include "file_options.hpp"
#include "help.hpp"
#include "imprint/base/text.hpp"
#include "listing.hpp"

namespace imprint::cli {

namespace {

using image::DeviceTree;
using image::NodeInfo;
using image::NodeType;

/// Directories nested deeper than any path can name are a damaged file system going in circles.
constexpr unsigned kMaxDepth = 2048;

struct LsOptions {
  std::vector<std::string> places;
  ViewArguments view;
  bool details = false;
  bool recursive = false;
  bool directory_itself = false;
  bool json = false;
};

/// One entry, as it is printed.
struct Entry {
  std::string name;
  NodeInfo node;
  std::string link_target;
};

struct Listing {
  std::string title;  ///< the directory; empty for a file that was named itself
  std::vector<Entry> entries;
};

class Lister {
 public:
  explicit Lister(const LsOptions& options) : options_(options) {}

  Result<> list(const std::string& place, Console& console) {
    const files::Address address = IMPRINT_TRY(files::parse_address(place));
    const auto view = IMPRINT_TRY(open_view(address.image, options_.view, console));
    const auto keep = options_.details && !address.path.ends_with('/')
                          ? DeviceTree::LastLink::keep
                          : DeviceTree::LastLink::follow;
    const auto location = IMPRINT_TRY(view->find(address.path, keep));
    if (location.node->type == NodeType::directory && !options_.directory_itself) {
      return list_directory(*location.file_system, location.path, place, 0);
    }
    auto entry = IMPRINT_TRY(entry_of(*location.file_system, location.path, place));
    listings_.push_back({.title = {}, .entries = {std::move(entry)}});
    return {};
  }

  [[nodiscard]] const std::vector<Listing>& listings() const noexcept { return listings_; }

 private:
  static Result<Entry> entry_of(image::FileSystem& file_system, const std::string& path,
                                const std::string& name) {
    const auto node = IMPRINT_TRY(file_system.find(path));
    if (!node) return fail(Code::not_found, fmt::format("{} has vanished", quoted(path)));
    Entry entry{.name = name, .node = *node, .link_target = {}};
    if (node->type == NodeType::symlink) {
      entry.link_target = IMPRINT_TRY(file_system.read_link(path));
    }
    return entry;
  }

  Result<> list_directory(image::FileSystem& file_system, const std::string& path,
                          const std::string& title, unsigned depth) {
    if (depth > kMaxDepth) {
      return fail(Code::corrupt, fmt::format("{}: directories go {} levels deep; repair the file "
                                             "system with 'e2fsck -f'",
                                             quoted(title), kMaxDepth));
    }
    const auto names = IMPRINT_TRY(file_system.list(path).context(quoted(title)));
    Listing listing{.title = title, .entries = {}};
    std::vector<std::string> below;
    for (const std::string& name : names) {
      const std::string child = (path == "/" ? "" : path) + "/" + name;
      listing.entries.push_back(IMPRINT_TRY(entry_of(file_system, child, name)));
      if (listing.entries.back().node.type == NodeType::directory) below.push_back(name);
    }
    listings_.push_back(std::move(listing));
    if (!options_.recursive) return {};
    for (const std::string& name : below) {
      const std::string inner = (title.ends_with('/') ? title : title + "/") + name;
      IMPRINT_TRY(
          list_directory(file_system, (path == "/" ? "" : path) + "/" + name, inner, depth + 1));
    }
    return {};
  }

  const LsOptions& options_;
  std::vector<Listing> listings_;
};

void print(std::ostream& out, const Entry& entry, bool details) {
  if (!details) {
    out << printable(entry.name) << '\n';
    return;
  }
  const NodeInfo& node = entry.node;
  out << fmt::format("{} {:>3} {:>5} {:>5} {:>10} {} {}", mode_text(node), node.links, node.uid,
                     node.gid, node.size_bytes, to_rfc3339(node.modified), printable(entry.name));
  if (node.type == NodeType::symlink) out << " -> " << printable(entry.link_target);
  out << '\n';
}

void print(std::ostream& out, const std::vector<Listing>& listings, bool details) {
  const bool titles = listings.size() > 1;
  bool first = true;
  for (const Listing& listing : listings) {
    if (titles && !listing.title.empty()) {
      out << (first ? "" : "\n") << printable(listing.title) << ":\n";
    }
    for (const Entry& entry : listing.entries)
      print(out, entry, details);
    first = false;
  }
}

void print_json(std::ostream& out, const std::vector<Listing>& listings) {
  nlohmann::ordered_json records = nlohmann::ordered_json::array();
  for (const Listing& listing : listings) {
    for (const Entry& entry : listing.entries) {
      nlohmann::ordered_json record{{"directory", listing.title}, {"name", entry.name}};
      record.update(node_record(entry.node));
      if (entry.node.type == NodeType::symlink) record["target"] = entry.link_target;
      records.push_back(std::move(record));
    }
  }
  const nlohmann::ordered_json document{{"version", 1}, {"entries", records}};
  // Names are bytes; JSON has no place for those that are no UTF-8.
  out << document.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << '\n';
}

}  // namespace

Action add_ls(CLI::App& program) {
  auto options = std::make_shared<LsOptions>();
  CLI::App* command = program.add_subcommand("ls", "List files of images");
  command->footer(std::string(help::kLs));
  command
      ->add_option("PLACES", options->places,
                   "Directories or files: IMAGE:PATH; IMAGE alone is its root")
      ->required();
  command->add_flag("-l", options->details, "Mode, links, owner, size and time too");
  command->add_flag("-R,--recursive", options->recursive, "Directories in directories too");
  command->add_flag("-d,--directory", options->directory_itself,
                    "Directories themselves, not what is in them");
  command->add_flag("--json", options->json, "Print everything known as JSON");
  options->view.add_to(*command);
  return [options](Console& console) {
    Lister lister(*options);
    for (const std::string& place : options->places) {
      if (const Result<> listed = lister.list(place, console); !listed)
        return console.fail(listed.error());
    }
    if (options->json) {
      print_json(console.out(), lister.listings());
    } else {
      print(console.out(), lister.listings(), options->details);
    }
    return Exit::done;
  };
}

}  // namespace imprint::cli
