#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "command.hpp"
#include "file_options.hpp"
#include "help.hpp"
#include "imprint/base/text.hpp"
#include "imprint/pipeline/inject.hpp"
#include "listing.hpp"

namespace imprint::cli {

namespace {

using nlohmann::ordered_json;

struct StatOptions {
  std::vector<std::string> places;
  ViewArguments view;
  bool follow = false;
  bool json = false;
};

[[nodiscard]] std::string_view role_of(const image::Layout& layout, int number) {
  const auto is = [number](const auto& role) { return role && role->number == number; };
  if (is(layout.data)) return "data";
  if (is(layout.boot)) return "boot";
  if (is(layout.rootfs_a)) return "rootfs A";
  if (is(layout.rootfs_b)) return layout.rootfs_b_populated ? "rootfs B" : "rootfs B, empty";
  return "";
}

[[nodiscard]] std::string_view table_word(image::TableKind kind) noexcept {
  switch (kind) {
    case image::TableKind::mbr:
      return "mbr";
    case image::TableKind::gpt:
      return "gpt";
    case image::TableKind::none:
      break;
  }
  return "none";
}

/// An image without a path: its partitions, and what is what.
ordered_json layout_record(files::ImageView& view) {
  ordered_json partitions = ordered_json::array();
  for (const image::Partition& partition : view.layout().partitions) {
    partitions.push_back({{"number", partition.number},
                          {"offset", partition.offset_bytes},
                          {"size", partition.size_bytes},
                          {"file_system", partition.file_system},
                          {"label", partition.label},
                          {"role", role_of(view.layout(), partition.number)}});
  }
  return {{"image", view.path().native()},
          {"table", table_word(view.layout().table)},
          {"partitions", partitions}};
}

Result<ordered_json> node_record_of(files::ImageView& view, const files::Address& address,
                                    const StatOptions& options) {
  const auto last =
      options.follow ? image::DeviceTree::LastLink::follow : image::DeviceTree::LastLink::keep;
  const auto location = IMPRINT_TRY(view.find(address.path, last));
  ordered_json record{{"image", view.path().native()},
                      {"path", address.path},
                      {"partition", location.file_system->partition().number},
                      {"partition_path", location.path}};
  record.update(node_record(*location.node));
  if (location.node->type == image::NodeType::symlink) {
    record["target"] = IMPRINT_TRY(location.file_system->read_link(location.path));
  }
  ordered_json attributes = ordered_json::object();
  const auto found = IMPRINT_TRY(location.file_system->extended_attributes(location.path));
  for (const image::ExtendedAttribute& attribute : found)
    attributes[attribute.name] = value_text(attribute.value);
  record["extended_attributes"] = std::move(attributes);
  return record;
}

void print_layout(std::ostream& out, const ordered_json& record) {
  out << fmt::format("{}: partition table {}\n", printable(record["image"].get<std::string>()),
                     record["table"].get<std::string>());
  for (const ordered_json& partition : record["partitions"]) {
    out << fmt::format(
        "  {:>2}  {:>14} {:>14}  {:<12} {:<16} {}\n", partition["number"].get<int>(),
        partition["offset"].get<std::uint64_t>(), partition["size"].get<std::uint64_t>(),
        partition["file_system"].get<std::string>(),
        printable(partition["label"].get<std::string>()), partition["role"].get<std::string>());
  }
}

void print_node(std::ostream& out, const ordered_json& record) {
  for (const auto& [key, value] : record.items()) {
    if (value.is_object()) {
      for (const auto& [name, text] : value.items())
        out << fmt::format("{:<15} {}={}\n", "xattr", printable(name), text.get<std::string>());
    } else {
      out << fmt::format("{:<15} {}\n", key,
                         value.is_string() ? printable(value.get<std::string>()) : value.dump());
    }
  }
}

Result<ordered_json> look_at(const std::string& place, const StatOptions& options,
                             Console& console) {
  const files::Address address = IMPRINT_TRY(files::parse_address(place));
  const auto view = IMPRINT_TRY(open_view(address.image, options.view, console));
  if (!address.names_path && !options.view.partition) return layout_record(*view);
  return node_record_of(*view, address, options);
}

}  // namespace

Action add_stat(CLI::App& program) {
  auto options = std::make_shared<StatOptions>();
  CLI::App* command =
      program.add_subcommand("stat", "Show what is known about files, or about an image's parts");
  command->footer(std::string(help::kStat));
  command
      ->add_option("PLACES", options->places,
                   "Files or directories: IMAGE:PATH; IMAGE alone: its partitions")
      ->required();
  command->add_flag("-L,--dereference", options->follow, "What a symbolic link leads to");
  command->add_flag("--json", options->json, "Print it as JSON");
  options->view.add_to(*command);
  return [options](Console& console) {
    ordered_json records = ordered_json::array();
    for (const std::string& place : options->places) {
      auto record = look_at(place, *options, console);
      if (!record) return console.fail(record.error());
      records.push_back(std::move(*record));
    }
    if (options->json) {
      const ordered_json document{{"version", 1}, {"results", records}};
      console.out() << document.dump(2, ' ', false, ordered_json::error_handler_t::replace) << '\n';
      return Exit::done;
    }
    for (const ordered_json& record : records) {
      if (record.contains("table")) {
        print_layout(console.out(), record);
      } else {
        print_node(console.out(), record);
      }
    }
    return Exit::done;
  };
}

}  // namespace imprint::cli
