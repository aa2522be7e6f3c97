// One image through the appliance. There are no placeholders and no overlays where only a kernel
// knows how a file system is laid out: every edit is made by path, on a copy. In place means that
// the copy takes the image's name, so that the image is the old one or the new one whenever it is
// looked at.

#include "guest_edit.hpp"

#include <array>
#include <memory>
#include <optional>

#include <fmt/format.h>

#include "check_conf.hpp"
#include "check_files.hpp"
#include "imprint/authority/passphrase.hpp"
#include "imprint/base/text.hpp"
#include "imprint/golden/apply.hpp"
#include "imprint/image/clone.hpp"
#include "imprint/image/file_systems.hpp"

namespace imprint::pipeline {

namespace {

std::optional<crypto::Certificate> certificate_in(image::FileSystems& file_systems,
                                                  const std::string& path) {
  const auto pem = file_systems.roots().front().tree.read_file(path);
  if (!pem) return std::nullopt;
  auto certificate = crypto::Certificate::parse(*pem);
  return certificate ? std::optional(std::move(*certificate)) : std::nullopt;
}

}  // namespace

bool uses_appliance(const EngineChoice& choice, const image::Layout& layout) {
  if (choice.engine != Engine::automatic) return choice.engine == Engine::guestfs;
  return layout.data && guestfs::needs_appliance(layout.data->file_system);
}

guestfs::PassphraseQuestion luks_passphrase_from(std::string source) {
  auto known = std::make_shared<std::optional<crypto::SecretBytes>>();
  return [text = std::move(source), known]() -> Result<crypto::SecretBytes> {
    if (!*known) {
      const auto parsed =
          IMPRINT_TRY(authority::parse_passphrase_source(text).context("--luks-passphrase"));
      known->emplace(IMPRINT_TRY(
          authority::read_passphrase(parsed, {.what = "Passphrase of the data partition"})
              .context("--luks-passphrase")));
    }
    return crypto::SecretBytes((*known)->view());
  };
}

guestfs::ApplianceOptions appliance_options(const EngineChoice& choice) {
  return {.timeout = choice.timeout, .passphrase = choice.luks_passphrase};
}

Result<GuestFindings> edit_drive(guestfs::Appliance& appliance, std::size_t drive,
                                 const image::Layout& layout, const WantedConf& wanted,
                                 golden::Recipe recipe, std::span<const ByteView> contents) {
  const std::vector<golden::DeviceFile> device_files = recipe.device_files;
  GuestFindings findings;
  {
    image::FileSystems file_systems(appliance.source(drive), layout);
    findings.replaced = certificate_in(file_systems, wanted.identity.certificate_path);
    auto applied = golden::apply(file_systems, std::move(recipe), contents);
    if (!applied && applied.error().code == Code::exists)
      return fail(std::move(applied).error().context("the image has an identity already"));
    findings.notes = IMPRINT_TRY(std::move(applied));
    IMPRINT_TRY(file_systems.commit());
  }
  image::FileSystems file_systems(appliance.source(drive, guestfs::Appliance::Access::read),
                                  layout);
  IMPRINT_TRY(check_device_files(file_systems, device_files, contents));
  IMPRINT_TRY(check_configuration(file_systems, wanted, findings.warnings));
  return findings;
}

Result<GuestEdit> edit_through_guest(const GuestEditRequest& request, golden::Recipe recipe,
                                     std::span<const ByteView> contents,
                                     const EngineChoice& choice) {
  NewFile copy = IMPRINT_TRY(NewFile::beside(request.target, request.mode));
  IMPRINT_TRY(image::clone(request.image.file(), copy.file()));
  GuestEdit edit{.copy = std::move(copy), .target = request.target, .findings = {}};

  const std::array drives{guestfs::Drive{edit.copy.temporary_path()}};
  const auto appliance = IMPRINT_TRY(guestfs::Appliance::start(drives, appliance_options(choice)));
  edit.findings = IMPRINT_TRY(
      edit_drive(*appliance, 0, request.layout, request.wanted, std::move(recipe), contents));
  edit.findings.notes.push_back(
      fmt::format("the {} data partition was edited by libguestfs ({})",
                  request.layout.data ? request.layout.data->file_system : "",
                  guestfs::name(appliance->acceleration())));
  IMPRINT_TRY(edit.copy.file().sync());
  return edit;
}

}  // namespace imprint::pipeline
