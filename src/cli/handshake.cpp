#include "imprint/handshake/handshake.hpp"

#include <algorithm>
#include <chrono>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "command.hpp"
#include "file_options.hpp"
#include "help.hpp"
#include "imprint/base/text.hpp"
#include "imprint/handshake/stored_image.hpp"
#include "layout_options.hpp"
#include "unpacking.hpp"

namespace imprint::cli {

namespace {

using handshake::Report;
using Json = nlohmann::ordered_json;

struct HandshakeOptions {
  fs::path image;
  std::optional<std::string> edge;
  std::optional<std::string> server_name;
  unsigned client = 4;
  unsigned timeout_seconds = 10;
  ViewArguments view;
  std::optional<std::string> id;
  std::optional<fs::path> base;
  bool json = false;
};

/// `unit.sdimg`, `overlays.db: unit-0042`
std::string shown_image(const HandshakeOptions& options) {
  return options.id ? fmt::format("{}: {}", options.image.string(), *options.id)
                    : options.image.string();
}

std::string identity_text(const crypto::Certificate& certificate) {
  return fmt::format("{}, serial {}, issued by {}, until {}", printable(certificate.subject_text()),
                     certificate.serial_hex(), printable(certificate.issuer_text()),
                     to_rfc3339(certificate.not_after()));
}

std::string asked_text(const Report& report) {
  if (!report.asked) return "for no certificate";
  if (report.asked_of.empty()) return "for a certificate, of any CA";
  return printable(fmt::format("for a certificate of: {}", fmt::join(report.asked_of, "; ")));
}

std::string sent_text(const Report& report) {
  if (report.sent.empty()) return "no certificate";
  std::string text = identity_text(report.sent.front());
  for (std::size_t i = 1; i < report.sent.size(); ++i)
    text += fmt::format("; and {}", printable(report.sent[i].subject_text()));
  return text;
}

std::string server_text(const Report& report) {
  if (!report.server_certificate) return "none";
  return fmt::format("{}, until {}", printable(report.server_certificate->subject_text()),
                     to_rfc3339(report.server_certificate->not_after()));
}

void print_text(const HandshakeOptions& options, const std::vector<Report>& reports,
                std::ostream& out) {
  for (const Report& report : reports) {
    out << fmt::format("{}: {}\n", printable(shown_image(options)),
                       handshake::word(report.verdict));
    const auto line = [&out](std::string_view label, std::string_view text) {
      if (!text.empty()) out << fmt::format("  {:<19} {}\n", label, text);
    };
    line("configuration", fmt::format("{}", fmt::join(report.roots, ", ")));
    line("server",
         fmt::format("{} ({}), as {}", report.server, report.address, report.server_name));
    line("connection", report.cipher.empty()
                           ? std::string()
                           : fmt::format("{}, {}", report.tls_version, report.cipher));
    line("server certificate", server_text(report));
    line("verified by", report.verified_by);
    line("asked", asked_text(report));
    line("sent", sent_text(report));
    line("came back", report.answer);
    for (const std::string& warning : report.warnings)
      line("warning", warning);
  }
}

Json certificate_record(const crypto::Certificate& certificate) {
  return {{"subject", certificate.subject_text()},
          {"issuer", certificate.issuer_text()},
          {"serial", certificate.serial_hex()},
          {"sha256", to_hex(certificate.fingerprint())},
          {"ends", to_rfc3339(certificate.not_after())}};
}

Json text_or_null(const std::string& text) {
  return text.empty() ? Json() : Json(text);
}

Json report_record(const Report& report) {
  Json sent = Json::array();
  for (const crypto::Certificate& certificate : report.sent)
    sent.push_back(certificate_record(certificate));
  return {{"verdict", handshake::word(report.verdict)},
          {"reason", text_or_null(report.reason)},
          {"configurations", report.roots},
          {"server", report.server},
          {"address", report.address},
          {"server_name", report.server_name},
          {"tls_version", text_or_null(report.tls_version)},
          {"cipher", text_or_null(report.cipher)},
          {"server_certificate",
           report.server_certificate ? certificate_record(*report.server_certificate) : Json()},
          {"verified_by", text_or_null(report.verified_by)},
          {"asked", report.asked},
          {"asked_of", report.asked_of},
          {"identity", certificate_record(report.identity)},
          {"sent", std::move(sent)},
          {"came_back", report.answer},
          {"warnings", report.warnings}};
}

void print_json(const HandshakeOptions& options, const std::vector<Report>& reports,
                std::ostream& out) {
  Json document = {{"version", 1},
                   {"image", options.image.string()},
                   {"id", options.id ? Json(*options.id) : Json()},
                   {"handshakes", Json::array()}};
  for (const Report& report : reports)
    document["handshakes"].push_back(report_record(report));
  out << document.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
}

Result<std::vector<Report>> shake_hands(const HandshakeOptions& options, Console& console) {
  const handshake::Options how{
      .image = shown_image(options),
      .edge = options.edge,
      .server_name = options.server_name,
      .client = options.client >= 4 ? handshake::Client::current : handshake::Client::before_4,
      .timeout = std::chrono::seconds(options.timeout_seconds),
      .now = system_clock().now()};
  if (!options.id) {
    const auto view = IMPRINT_TRY(open_view(options.image, options.view, console));
    return handshake::shake_hands(view->roots(), how);
  }
  image::Unpacking unpacking = unpacking_for(console);
  unpacking.directory = image::temporary_directory();
  auto stored = IMPRINT_TRY(handshake::StoredImage::open({.store = options.image,
                                                          .id = *options.id,
                                                          .base = options.base,
                                                          .layout = options.view.layout,
                                                          .unpacking = std::move(unpacking)}));
  return handshake::shake_hands(stored.roots(), how);
}

Exit run_handshake(const HandshakeOptions& options, Console& console) {
  const auto reports = shake_hands(options, console);
  if (!reports) return console.fail(reports.error());
  if (options.json) {
    print_json(options, *reports, console.out());
  } else {
    print_text(options, *reports, console.out());
  }
  Exit status = Exit::done;
  for (const Report& report : *reports) {
    if (report.verdict == handshake::Verdict::accepted) continue;
    status = console.fail(
        Error(Code::check_failed, fmt::format("{}: {}", quoted(report.server), report.reason)));
  }
  return status;
}

}  // namespace

Action add_handshake(CLI::App& program) {
  auto options = std::make_shared<HandshakeOptions>();
  CLI::App* command = program.add_subcommand(
      "handshake", "Make the TLS connection that an image's client would make");
  command->footer(std::string(help::kHandshake));
  command->add_option("IMAGE", options->image, "Disk image; with --id an overlay store")
      ->required();
  CLI::Option* id = command->add_option("--id", options->id, "The device of an overlay store");
  command->add_option("--base", options->base, "The overlay store's base image, if it has moved")
      ->needs(id);
  command->add_option("--edge", options->edge,
                      "Where to connect: HOST[:PORT] (default: the image's own server)");
  command->add_option("--server-name", options->server_name,
                      "Name that the server has to prove (default: the host it is reached by)");
  command
      ->add_option("--client", options->client,
                   "Mender client to do as: 4 and later send the first certificate of the file, 3 "
                   "all of them")
      ->check(CLI::Range(2U, 99U))
      ->capture_default_str();
  command
      ->add_option("--timeout", options->timeout_seconds,
                   "Seconds for connection, handshake and answer together")
      ->check(CLI::Range(1U, 3600U))
      ->capture_default_str();
  command
      ->add_option("--rootfs", options->view.root,
                   "Whose configuration: a, b or both (default: A's, and B's when it differs)")
      ->excludes(id);
  add_layout_options(*command, options->view.layout);
  add_engine_options(*command, options->view.engine);
  command->add_flag("--json", options->json, "Print what was sent and what came back as JSON");
  return [options](Console& console) { return run_handshake(*options, console); };
}

}  // namespace imprint::cli
