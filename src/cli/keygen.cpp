#include "keygen.hpp"

#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "help.hpp"
#include "imprint/base/text.hpp"
#include "imprint/server/service_key.hpp"
#include "imprint/server/settings.hpp"
#include "imprint/server/texts.hpp"
#include "imprint/server/tree.hpp"
#include "interrupt.hpp"

namespace imprint::cli {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kUsualServiceKey = "rsa:3072";

struct Options {
  KeygenNames names;
  KeygenCa ca;
  fs::path out = "keys-generated";
  std::optional<std::uint32_t> days;
  std::optional<std::string> service_key;
  std::string server_version;
  std::string print;
  bool force = false;
  bool json = false;
};

/// The last of the servers that read the layout and are deployed with docker-compose in production.
server::ServerVersion usual_version(server::Layout layout) noexcept {
  return layout == server::Layout::classic ? server::ServerVersion::v3_0
                                           : server::ServerVersion::v3_1;
}

Result<server::ServerVersion> version_of(const std::string& text, server::Layout layout) {
  if (text.empty()) return usual_version(layout);
  const auto version = IMPRINT_TRY(server::parse_server_version(text).context("--server-version"));
  if (server::layout_of(version) == layout) return version;
  return fail(Code::invalid_input, fmt::format("--server-version {}: such servers read --layout {}",
                                               text, word(server::layout_of(version))));
}

Result<server::KeygenRequest> request_of(const Options& options, KeygenChoice choice) {
  server::KeygenRequest request;
  request.directory = options.out;
  request.layout = choice.layout;
  request.servers = std::move(choice.servers);
  request.days = options.days.value_or(server::kDefaultDays);
  request.service_key = IMPRINT_TRY(
      server::parse_service_key_kind(options.service_key.value_or(std::string(kUsualServiceKey)))
          .context("--service-key"));
  request.server_version = IMPRINT_TRY(version_of(options.server_version, request.layout));
  request.ca = IMPRINT_TRY(options.ca.choice());
  request.force = options.force;
  return request;
}

Json strings(const std::vector<fs::path>& paths) {
  Json list = Json::array();
  for (const fs::path& path : paths)
    list.push_back(path.string());
  return list;
}

Json record_of(const server::KeygenReport& report) {
  Json certificates = Json::array();
  for (const server::PlacedCertificate& placed : report.certificates) {
    const crypto::Certificate& certificate = placed.certificate;
    certificates.push_back({{"certificate", placed.file.string()},
                            {"key", (placed.file.parent_path() / server::kKeyFile).string()},
                            {"subject", certificate.subject_text()},
                            {"issuer", certificate.issuer_text()},
                            {"serial", certificate.serial_hex()},
                            {"sha256", to_hex(certificate.fingerprint())},
                            {"not_before", to_rfc3339(certificate.not_before())},
                            {"not_after", to_rfc3339(certificate.not_after())}});
  }
  return {{"version", 1},
          {"certificates", std::move(certificates)},
          {"trust", report.trust.string()},
          {"service_keys", strings(report.service_keys)},
          {"others", strings(report.others)},
          {"warnings", report.warnings},
          {"notes", report.notes}};
}

void tell(const server::KeygenReport& report, Console& console) {
  for (const server::PlacedCertificate& placed : report.certificates) {
    console.note(fmt::format("{}: {}, valid to {}", placed.file.string(),
                             placed.certificate.subject_text(),
                             to_rfc3339(placed.certificate.not_after())));
  }
  console.note(fmt::format("{}: what devices have to trust", report.trust.string()));
  for (const fs::path& key : report.service_keys)
    console.note(fmt::format("{}: signs tokens", key.string()));
  for (const fs::path& other : report.others)
    console.note(fmt::format("{}: for the server's deployment", other.string()));
}

Exit make(const Options& options, bool quiet, Console& console) {
  auto choice = choose_names(options.names);
  if (!choice) return console.fail(choice.error());
  const std::vector<std::string> notes = choice->notes;
  const InterruptGuard interrupt;
  auto request = request_of(options, std::move(*choice));
  if (!request) return console.fail(request.error());
  request->stop = &interrupt.requested();
  auto report = server::keygen(*request, system_clock());
  if (!report) return console.fail(report.error());
  report->notes.insert(report->notes.begin(), notes.begin(), notes.end());
  for (const std::string& warning : report->warnings)
    console.warn(warning);
  for (const std::string& note : report->notes)
    console.note(note);
  if (options.json) {
    console.out() << record_of(*report).dump(2) << '\n';
  } else if (!quiet) {
    tell(*report, console);
  }
  return Exit::done;
}

Result<> refuse_other_layout(const Options& options, server::Layout layout) {
  if (options.names.layout.empty()) return {};
  const auto asked = IMPRINT_TRY(server::parse_layout(options.names.layout).context("--layout"));
  if (asked == layout) return {};
  return fail(Code::invalid_input,
              fmt::format("--layout {}: the keys in {} have the layout '{}'; leave it out, or "
                          "choose another folder with --out",
                          word(asked), quoted(options.out.string()), word(layout)));
}

/// Options that say otherwise than the keys that are there: they would be of no effect.
Result<> refuse_contradiction(const Options& options, const server::Deployment& tree) {
  server::Settings settings;
  settings.servers = IMPRINT_TRY(asked_names(options.names, tree.layout));
  settings.days = options.days;
  const auto ca = IMPRINT_TRY(options.ca.choice());
  if (ca) settings.ca = ca->authority;
  if (options.service_key) {
    settings.service_key =
        IMPRINT_TRY(server::parse_service_key_kind(*options.service_key).context("--service-key"));
  }
  return server::refuse_contradiction(tree, settings);
}

/// Prints a text of keys that are there; those that are not are made first.
Exit print(const Options& options, Console& console) {
  const auto text = server::parse_text(options.print).context("--print");
  if (!text) return console.fail(text.error());
  auto tree = server::read_tree(options.out);
  if (!tree && tree.error().code == Code::not_found) {
    if (const Exit made = make(options, true, console); made != Exit::done) return made;
    tree = server::read_tree(options.out);
  }
  if (!tree) return console.fail(tree.error());
  if (const auto same = refuse_other_layout(options, tree->layout); !same)
    return console.fail(same.error());
  const auto asked = version_of(options.server_version, tree->layout);
  if (!asked) return console.fail(asked.error());
  const server::ServerVersion version =
      options.server_version.empty() ? compose_version(*tree).value_or(*asked) : *asked;
  if (const auto usable = server::check_tree(*tree); !usable) return console.fail(usable.error());
  if (const auto agreed = refuse_contradiction(options, *tree); !agreed)
    return console.fail(agreed.error());
  const auto content = server::text_of_tree(*tree, *text, version);
  if (!content) return console.fail(content.error());
  const std::string_view characters = imprint::text_of(content->view());
  console.out().write(characters.data(), static_cast<std::streamsize>(characters.size()));
  return Exit::done;
}

void add_options(CLI::App& command, Options& options) {
  command.add_option("--out", options.out, "Folder to make")->capture_default_str();
  command.add_option("--layout", options.names.layout,
                     "Tree to make: current (servers from 3.1 on; default), classic (up to 3.0)");
  options.names.add_to(command);
  command.add_option("--days", options.days, "Validity of the certificates")
      ->default_str(std::to_string(server::kDefaultDays));
  options.ca.add_to(command);
  command
      .add_option("--service-key", options.service_key,
                  "Kind of the keys that sign tokens: rsa:3072, rsa:4096, rsa:2048, or for "
                  "servers from 4.0 on ed25519")
      ->default_str(std::string(kUsualServiceKey));
  command.add_option("--server-version", options.server_version,
                     "Mender server that the docker-compose file is for, like 2.6, 3.7 or 4.0 "
                     "(default: 3.7, for the classic layout 3.0)");
  CLI::Option* print = command.add_option(
      "--print", options.print,
      "Print a deployment text to standard output: compose, helm, secrets (the last two hold "
      "private keys); keys that are there stay");
  command
      .add_flag("--force", options.force,
                "Make everything anew where there are keys: their tokens become invalid")
      ->excludes(print);
  command.add_flag("--json", options.json, "Print what was made as JSON")->excludes(print);
}

}  // namespace

Action add_keygen(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* command = program.add_subcommand("keygen", "The Mender server's keys and certificates");
  command->footer(std::string(help::kKeygen));
  add_options(*command, *options);
  command->require_subcommand(0, 1);
  const Action rotate = add_keygen_rotate(*command);
  return [command, options, rotate](Console& console) {
    if (!command->get_subcommands().empty()) return rotate(console);
    return options->print.empty() ? make(*options, false, console) : print(*options, console);
  };
}

}  // namespace imprint::cli
