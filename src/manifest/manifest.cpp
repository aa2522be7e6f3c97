// From a JSON text to a Manifest. The schema has the first word (schema_check.cpp): what is read
// here has the right keys and types, so no getter can fail. What a schema cannot say is checked
// beside the value it is about.

#include "imprint/manifest/manifest.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "authority_spec.hpp"
#include "conf_reader.hpp"
#include "device_path.hpp"
#include "identity_reader.hpp"
#include "imprint/base/text.hpp"
#include "json_members.hpp"
#include "json_text.hpp"
#include "schema_check.hpp"

namespace imprint::manifest {
namespace {

// The default that the schema documents; docs/manifest.md has it too.
constexpr std::string_view kOutputDirectory = "out";

constexpr std::uint64_t kMaxManifestBytes = std::uint64_t{256} << 20;

Result<FileSpec> read_file_spec(const Json& object, const std::string& pointer,
                                const fs::path& base) {
  FileSpec file;
  if (const Json* const from = member(object, "from")) file.from = base / from->get<std::string>();
  if (const Json* const text = member(object, "text")) {
    file.text = IMPRINT_TRY(parse_template(*text, pointer + "/text"));
  }
  file.to = IMPRINT_TRY(read_device_path(object, "to", "", pointer));
  const std::string mode = text_or(object, "mode", "0644");  // octal digits, says the schema
  std::from_chars(mode.data(), mode.data() + mode.size(), file.mode, 8);
  file.uid = object.value("uid", file.uid);
  file.gid = object.value("gid", file.gid);
  file.selinux = text_or(object, "selinux", "");  // a label, says the schema
  return file;
}

Result<std::vector<FileSpec>> read_files(const Json* array, const fs::path& base) {
  std::vector<FileSpec> files;
  if (array == nullptr) return files;
  for (const Json& element : *array) {
    const std::string pointer = fmt::format("/files/{}", files.size());
    files.push_back(IMPRINT_TRY(read_file_spec(element, pointer, base)));
  }
  return files;
}

Result<std::vector<IdentityDatum>> read_identity_data(const Json* object) {
  std::vector<IdentityDatum> data;
  if (object == nullptr) return data;
  for (const auto& [key, value] : object->items()) {
    const std::string pointer = "/identity_data/" + pointer_token(key);
    if (key.empty()) return fail(Code::invalid_input, pointer + ": an attribute needs a name");
    auto parsed = IMPRINT_TRY(parse_template(value, pointer));
    data.push_back({key, std::move(parsed)});
  }
  return data;
}

/// `{id}` with what the base image is called after its name's dot: `.sdimg` stays `.sdimg`,
/// `.img.xz` becomes `.img`.
Result<Template> default_output_name(const fs::path& image) {
  constexpr std::array<std::string_view, 4> kCompressed = {".gz", ".bz2", ".xz", ".zst"};
  fs::path name = image.filename();
  if (std::find(kCompressed.begin(), kCompressed.end(), name.extension()) != kCompressed.end()) {
    name.replace_extension();
  }
  const std::string extension = name.extension().native();
  const bool plain = !extension.empty() && extension.find_first_of("{}") == std::string::npos;
  return Template::parse("{id}" + (plain ? extension : ".img"));
}

Result<OutputSpec> read_output(const Json& object, const Manifest& manifest,
                               const Overrides& overrides) {
  OutputSpec output;
  output.directory = overrides.output_directory.value_or(
      manifest.base_directory / text_or(object, "directory", kOutputDirectory));
  const Json* const name = member(object, "name");
  output.name = name != nullptr ? IMPRINT_TRY(parse_template(*name, "/output/name"))
                                : IMPRINT_TRY(default_output_name(manifest.image));
  const auto format = parse_output_format(text_or(object, "format", word(OutputFormat::image)));
  output.format = overrides.format.value_or(IMPRINT_TRY(format));
  output.bmap = object.value("bmap", false);
  return output;
}

/// Which partition is which; what flags say stands above it, role by role.
[[nodiscard]] image::LayoutChoice read_layout(const Json& object, const Overrides& overrides) {
  const auto number = [&object](const char* role, std::optional<int> flag) -> std::optional<int> {
    const Json* const said = member(object, role);
    if (flag || said == nullptr) return flag;
    return said->get<int>();
  };
  return {.boot = number("boot", overrides.layout.boot),
          .rootfs_a = number("rootfs_a", overrides.layout.rootfs_a),
          .rootfs_b = number("rootfs_b", overrides.layout.rootfs_b),
          .data = number("data", overrides.layout.data)};
}

/// No two things may want the same place on the device, and none may want to be inside another.
Result<> check_places(const Manifest& manifest) {
  struct Place {
    std::string path;
    std::string pointer;
  };

  std::vector<Place> taken = {
      {manifest.identity.key_path, "/identity/key_path"},
      {manifest.identity.certificate_path, "/identity/certificate_path"},
  };
  const ConfTarget target = manifest.mender_conf.target;
  if (target != ConfTarget::data) taken.push_back({"/etc/mender/mender.conf", "/mender_conf"});
  if (target != ConfTarget::rootfs) taken.push_back({"/data/mender/mender.conf", "/mender_conf"});
  const MenderConfSpec& conf = manifest.mender_conf;
  if (conf.server_certificate)
    taken.push_back({conf.server_certificate->to, conf.server_certificate->named});
  for (const TrustFile& key : conf.artifact_verify_keys)
    taken.push_back({key.to, key.named});
  for (std::size_t i = 0; i < manifest.files.size(); ++i) {
    taken.push_back({manifest.files[i].to, fmt::format("/files/{}/to", i)});
  }
  for (auto place = taken.begin(); place != taken.end(); ++place) {
    const auto other = std::find_if(taken.begin(), place, [place](const Place& before) {
      return before.path == place->path || is_inside(before.path, place->path) ||
             is_inside(place->path, before.path);
    });
    if (other == place) continue;
    return fail(Code::invalid_input,
                fmt::format("{}: {} and {} of {} cannot both be there", place->pointer,
                            quoted(place->path), quoted(other->path), other->pointer));
  }
  return {};
}

void read_devices_member(Json& value, const Overrides& overrides, Manifest& manifest) {
  if (overrides.devices) {
    manifest.devices_path = *overrides.devices;
  } else if (value.is_string()) {
    manifest.devices_path = manifest.base_directory / value.get<std::string>();
  } else {
    manifest.inline_devices = std::make_shared<const Json>(std::move(value));
  }
}

Result<Manifest> read_document(Json& document, const fs::path& path, const Overrides& overrides) {
  // Devices have rules of their own, with better messages (devices.hpp); a million of them need not
  // pass the schema too.
  Json devices;
  if (document.is_object() && document.contains("devices") && document["devices"].is_array()) {
    devices = std::exchange(document["devices"], "in the manifest");
  }
  IMPRINT_TRY(check_schema(document));
  if (devices.is_null()) devices = std::move(document["devices"]);

  Manifest manifest;
  manifest.path = path;
  manifest.base_directory = path.parent_path();
  const fs::path& base = manifest.base_directory;
  manifest.image = overrides.image.value_or(base / document["image"].get<std::string>());
  manifest.layout = read_layout(document.value("layout", Json::object()), overrides);
  manifest.authority = IMPRINT_TRY(read_authority(document["authority"], base, "/authority"));
  manifest.identity = IMPRINT_TRY(read_identity(document.value("identity", Json::object())));
  manifest.mender_conf =
      IMPRINT_TRY(read_mender_conf(document.value("mender_conf", Json::object()), base));
  IMPRINT_TRY(apply(overrides.conf, manifest.mender_conf));
  manifest.files = IMPRINT_TRY(read_files(member(document, "files"), base));
  manifest.identity_data = IMPRINT_TRY(read_identity_data(member(document, "identity_data")));
  manifest.output =
      IMPRINT_TRY(read_output(document.value("output", Json::object()), manifest, overrides));
  read_devices_member(devices, overrides, manifest);
  IMPRINT_TRY(check_places(manifest));
  return manifest;
}

Result<> check_file_exists(const Manifest& manifest, const fs::path& file,
                           const std::string& named) {
  std::error_code error;
  if (file.empty() || fs::is_regular_file(file, error)) return {};
  // A flag is no place in the manifest.
  const std::string where =
      named.starts_with('/') ? printable(manifest.path.native()) + ": " + named : named;
  return fail(Code::not_found, fmt::format("{}: {} is no file", where, quoted(file.native())));
}

Result<> check_files_exist(const Manifest& manifest) {
  for (std::size_t i = 0; i < manifest.files.size(); ++i) {
    IMPRINT_TRY(
        check_file_exists(manifest, manifest.files[i].from, fmt::format("/files/{}/from", i)));
  }
  const MenderConfSpec& conf = manifest.mender_conf;
  if (conf.server_certificate)
    IMPRINT_TRY(
        check_file_exists(manifest, conf.server_certificate->from, conf.server_certificate->named));
  for (const TrustFile& key : conf.artifact_verify_keys)
    IMPRINT_TRY(check_file_exists(manifest, key.from, key.named));
  return {};
}

}  // namespace

Result<Manifest> parse_manifest(std::string_view text, const fs::path& path,
                                const Overrides& overrides) {
  const std::string name = printable(path.native());
  Json document = IMPRINT_TRY(parse_json(text).context(name));
  return read_document(document, path, overrides).context(name);
}

Result<Manifest> load_manifest(const fs::path& path, const Overrides& overrides) {
  const Bytes bytes = IMPRINT_TRY(read_file(path, kMaxManifestBytes));
  Manifest manifest = IMPRINT_TRY(parse_manifest(text_of(bytes), path, overrides));
  IMPRINT_TRY(check_files_exist(manifest));
  return manifest;
}

Result<DeviceTable> load_devices(const Manifest& manifest) {
  if (manifest.inline_devices != nullptr)
    return inline_devices(*manifest.inline_devices, manifest.path);
  return read_devices(manifest.devices_path, manifest.devices_path);
}

std::string_view word(OutputFormat format) noexcept {
  return format == OutputFormat::image ? "image" : "overlay";
}

Result<OutputFormat> parse_output_format(std::string_view text) {
  for (const OutputFormat format : {OutputFormat::image, OutputFormat::overlay}) {
    if (word(format) == text) return format;
  }
  return fail(Code::invalid_input,
              fmt::format("{} is no output format; 'image' and 'overlay' are", quoted(text)));
}

std::string_view word(ConfTarget target) noexcept {
  switch (target) {
    case ConfTarget::rootfs:
      return "rootfs";
    case ConfTarget::data:
      return "data";
    case ConfTarget::both:
      return "both";
  }
  return "rootfs";
}

}  // namespace imprint::manifest
