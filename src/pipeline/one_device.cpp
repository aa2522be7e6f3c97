#include "one_device.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "identity_data.hpp"
#include "imprint/base/text.hpp"
#include "imprint/manifest/authority_folder.hpp"
#include "imprint/manifest/plan.hpp"
#include "imprint/mender/paths.hpp"

namespace imprint::pipeline {

namespace {

Result<manifest::Manifest> built_in_manifest() {
  manifest::Manifest manifest;
  manifest.path = "inject";
  manifest.identity.subject.push_back(
      {crypto::NameField::common_name, IMPRINT_TRY(manifest::Template::parse("{id}"))});
  manifest.identity.key_path = mender::kDefaultKeyPath;
  manifest.identity.certificate_path = mender::kDefaultCertificatePath;
  manifest.mender_conf.merge =
      std::make_shared<const nlohmann::ordered_json>(nlohmann::ordered_json::object());
  manifest.output.name = IMPRINT_TRY(manifest::Template::parse("{id}"));
  return manifest;
}

}  // namespace

Result<manifest::Manifest> inject_manifest(const InjectRequest& request) {
  manifest::Manifest manifest =
      request.manifest
          ? IMPRINT_TRY(manifest::load_manifest(*request.manifest, {.image = request.image,
                                                                    .devices = {},
                                                                    .output_directory = {},
                                                                    .format = {},
                                                                    .layout = request.layout,
                                                                    .conf = request.conf}))
          : IMPRINT_TRY(built_in_manifest());
  if (!request.manifest) {
    manifest.layout = request.layout;
    IMPRINT_TRY(manifest::apply(request.conf, manifest.mender_conf));
  }
  if (request.ca_directory) {
    manifest.authority =
        IMPRINT_TRY(manifest::find_authority(*request.ca_directory).context("--ca"));
    if (request.ca_passphrase) {
      manifest.authority.passphrase = IMPRINT_TRY(
          authority::parse_passphrase_source(*request.ca_passphrase).context("--ca-passphrase"));
    }
  }
  return manifest;
}

Result<OneDevice> expand_one(const manifest::Manifest& manifest, const std::string& id,
                             const std::vector<std::pair<std::string, std::string>>& variables) {
  IMPRINT_TRY(manifest::check_device_id(id).context("--id " + quoted(id)));
  std::vector<manifest::NamedValue> values;
  for (const auto& [name, value] : variables)
    values.push_back({name, value});
  const auto table = IMPRINT_TRY(manifest::one_device(id, values, "--set"));
  const auto plan = IMPRINT_TRY(manifest::plan_devices(manifest, table));
  OneDevice device;
  for (const manifest::BoundTemplate& slot : plan.slots)
    IMPRINT_TRY(slot.expand(table, 0, device.slots.emplace_back()));
  for (const auto& text : plan.texts)
    IMPRINT_TRY(text.content.expand(table, 0, device.texts.emplace_back()));
  IMPRINT_TRY(expand_identity_data(plan, table, 0, device.identity_data));
  return device;
}

Result<crypto::SecretBytes> read_secret_file(const fs::path& path, std::uint64_t limit_bytes) {
  const File file = IMPRINT_TRY(File::open_read(path));
  const std::uint64_t size = IMPRINT_TRY(file.size_bytes());
  if (size > limit_bytes)
    return fail(Code::invalid_input,
                fmt::format("{} is too large to be a key ({} bytes)", quoted(path.string()), size));
  crypto::SecretBytes bytes(size);
  IMPRINT_TRY(file.read_exact(0, bytes.mutable_view()));
  return bytes;
}

}  // namespace imprint::pipeline
