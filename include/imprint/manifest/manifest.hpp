#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "imprint/authority/authority.hpp"
#include "imprint/authority/validity.hpp"
#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/key.hpp"
#include "imprint/crypto/name.hpp"
#include "imprint/crypto/usage.hpp"
#include "imprint/image/partition.hpp"
#include "imprint/manifest/devices.hpp"
#include "imprint/manifest/template.hpp"

namespace imprint::manifest {

inline constexpr int kManifestVersion = 1;

struct SubjectTemplate {
  crypto::NameField field{};
  Template value;
};

struct AltNameTemplate {
  crypto::AltNameKind kind{};
  Template value;  ///< without the kind's prefix
  std::string hardware_type =
      {};  ///< of a hardware module: its OID; the value is its serial number
};

/// A set of defaults for what a certificate is like. The manifest's words are `mender`, `idevid`.
enum class CertificateProfile {
  mender,  ///< a TLS client of the Mender server
  idevid,  ///< an initial device identifier after IEEE 802.1AR
};

/// What a device's key and certificate are like, and where on the device they go.
struct IdentitySpec {
  CertificateProfile profile = CertificateProfile::mender;
  crypto::KeyKind key = crypto::KeyKind::ec_p256;
  /// In the manifest's order; when it has none, `CN={id}`, of an idevid also
  /// `serialNumber={serial}`.
  std::vector<SubjectTemplate> subject;
  std::vector<AltNameTemplate> san;
  authority::ValiditySpec validity;
  // As crypto::ProfileSpec has them.
  std::optional<std::vector<crypto::KeyUsage>> key_usage;
  std::vector<std::string> extended_key_usage = {"clientAuth"};
  std::vector<std::string> policies;
  bool basic_constraints = true;
  bool subject_key_identifier = true;
  bool authority_key_identifier = true;
  std::string key_path;               ///< on the device
  std::string certificate_path;       ///< on the device
  std::string selinux;                ///< label of both; empty: none, or that of what they replace
  std::vector<std::string> warnings;  ///< allowed, but not as it should be: one line each
};

enum class ConfTarget {
  rootfs,  ///< /etc/mender/mender.conf
  data,    ///< /data/mender/mender.conf, the fallback file
  both,
};

/// A file of this machine that a setting of mender.conf is to name on the device.
struct TrustFile {
  fs::path from;
  std::string named;  ///< where it was named: `/mender_conf/server_certificate`, or a flag
  std::string to;     ///< on the device
};

/// What is merged into mender.conf beside the settings that make the client use its identity. The
/// entries below `merge` stand above it.
struct MenderConfSpec {
  ConfTarget target = ConfTarget::rootfs;
  std::shared_ptr<const nlohmann::ordered_json> merge;  ///< an object, never null

  std::vector<std::string> servers;  ///< checked URLs
  bool server_list = false;          ///< `Servers` instead of `ServerURL`
  /// Nothing, the token itself, or where it comes from. Not for messages and reports.
  std::variant<std::monostate, std::string, authority::PassphraseSource> tenant_token;
  std::string tenant_token_named;  ///< where it was named
  std::optional<TrustFile> server_certificate;
  std::vector<TrustFile> artifact_verify_keys;
  bool artifact_verify_key_list = false;  ///< `ArtifactVerifyKeys` instead of `ArtifactVerifyKey`
  std::vector<std::string> warnings;      ///< allowed, but not as it should be: one line each
};

/// A file that every device gets.
struct FileSpec {
  /// Host file it comes from; empty when `text` says the content.
  fs::path from;
  Template text;
  std::string to;        ///< absolute path on the device
  unsigned mode = 0644;  ///< permission bits
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::string selinux;  ///< label; empty: none, or that of the file it replaces

  /// Whether its content differs from device to device.
  [[nodiscard]] bool per_device() const noexcept { return from.empty() && !text.is_constant(); }
};

/// One attribute of the identity the device will report to the server (preauthorization).
struct IdentityDatum {
  std::string name;
  Template value;
};

enum class OutputFormat {
  image,    ///< one image file a device
  overlay,  ///< one overlay store
};

struct OutputSpec {
  fs::path directory;
  Template name;
  OutputFormat format = OutputFormat::image;
  bool bmap = false;
};

/// What a batch is, checked as far as that goes without looking at devices, image and CA. Immutable
/// plain data; copies are cheap enough. Host paths are resolved against the manifest's directory,
/// those of overrides against the working directory.
struct Manifest {
  fs::path path;            ///< as it was named, for messages
  fs::path base_directory;  ///< what its paths are relative to
  fs::path image;
  image::LayoutChoice layout;            ///< which partition is which, where the manifest says so
  authority::AuthoritySource authority;  ///< its files are opened by others
  IdentitySpec identity;
  MenderConfSpec mender_conf;
  std::vector<FileSpec> files;
  std::vector<IdentityDatum> identity_data;
  OutputSpec output;
  /// The device file, or empty when the devices stand in the manifest.
  fs::path devices_path;
  std::shared_ptr<const nlohmann::ordered_json> inline_devices;  ///< an array, or null
};

/// What flags say in place of the manifest's `mender_conf`. Several URLs or keys are a list.
struct ConfOverrides {
  std::vector<std::string> server_urls = {};
  std::optional<fs::path> tenant_token_file = {};
  std::optional<fs::path> server_certificate = {};
  std::vector<fs::path> artifact_verify_keys = {};
};

/// What flags say in place of the manifest.
struct Overrides {
  std::optional<fs::path> image;
  std::optional<fs::path> devices;
  std::optional<fs::path> output_directory;
  std::optional<OutputFormat> format;
  image::LayoutChoice layout = {};  ///< role by role
  ConfOverrides conf = {};          ///< entry by entry
};

/// Puts what flags say into `spec`; errors name the flag. The manifest's `merge` gives way.
[[nodiscard]] Result<> apply(const ConfOverrides& overrides, MenderConfSpec& spec);

/// Reads and checks a manifest; opens no other file, but says when one that it names is missing,
/// and looks into the CA folder when `authority` is one. Errors are one line: `manifest.json: line
/// 3, column 9: ...` when it is no JSON, else with the JSON pointer: `manifest.json: /identity/kee:
/// unknown key (did you mean 'key'?)`. A passphrase is never repeated.
[[nodiscard]] Result<Manifest> load_manifest(const fs::path& path, const Overrides& overrides = {});

/// The same from text; `path` names it in messages and is what paths are relative to.
[[nodiscard]] Result<Manifest> parse_manifest(std::string_view text, const fs::path& path,
                                              const Overrides& overrides = {});

/// The manifest's devices, from wherever it says.
[[nodiscard]] Result<DeviceTable> load_devices(const Manifest& manifest);

[[nodiscard]] std::string_view word(OutputFormat format) noexcept;
[[nodiscard]] Result<OutputFormat> parse_output_format(std::string_view word);
[[nodiscard]] std::string_view word(ConfTarget target) noexcept;
[[nodiscard]] std::string_view word(CertificateProfile profile) noexcept;

/// The JSON Schema the program applies: manifests/manifest.schema.json.
[[nodiscard]] std::string_view schema_text() noexcept;

}  // namespace imprint::manifest
