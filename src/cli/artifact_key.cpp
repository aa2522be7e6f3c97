#include "imprint/server/artifact_key.hpp"

#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "command.hpp"
#include "help.hpp"

namespace imprint::cli {

namespace {

struct ArtifactKeyOptions {
  server::ArtifactKeyRequest request;
  std::string kind = "rsa:3072";
};

Result<server::ArtifactKeyFiles> make(ArtifactKeyOptions& options) {
  options.request.kind =
      IMPRINT_TRY(server::parse_artifact_key_kind(options.kind).context("--key"));
  return server::make_artifact_key(options.request);
}

Exit run_artifact_key(ArtifactKeyOptions& options, Console& console) {
  const auto made = make(options);
  if (!made) return console.fail(made.error());
  console.note(fmt::format("{}: signs Artifacts, not encrypted; keep it where they are built",
                           made->private_key.string()));
  console.note(fmt::format("{}: for the devices, \"artifact_verify_key\" of a manifest",
                           made->public_key.string()));
  return Exit::done;
}

}  // namespace

Action add_artifact_key(CLI::App& program) {
  auto options = std::make_shared<ArtifactKeyOptions>();
  CLI::App* command =
      program.add_subcommand("artifact-key", "Make the key pair that signs Mender Artifacts");
  command->footer(std::string(help::kArtifactKey));
  command->add_option("--out", options->request.directory, "Folder for the two files")
      ->capture_default_str();
  command->add_option("--key", options->kind, "Kind of key: rsa:2048|3072|4096, ec:P-256")
      ->capture_default_str();
  command->add_flag("--force", options->request.replace, "Replace the pair that is there");
  return [options](Console& console) { return run_artifact_key(*options, console); };
}

}  // namespace imprint::cli
