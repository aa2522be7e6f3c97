// One image, one identity. The same steps as a batch of one (recipe, golden image, overlay, check),
// but what comes out is a single patch of the image itself: applied to a copy, or in place through
// a redo journal, so that the image is the old one or the new one whenever it is looked at.

#include "imprint/pipeline/inject.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "carried_certificate.hpp"
#include "check_conf.hpp"
#include "check_files.hpp"
#include "conf_entries.hpp"
#include "device_layout.hpp"
#include "guest_edit.hpp"
#include "imprint/authority/authority.hpp"
#include "imprint/authority/ca_init.hpp"
#include "imprint/base/text.hpp"
#include "imprint/base/version.hpp"
#include "imprint/crypto/mint.hpp"
#include "imprint/golden/golden.hpp"
#include "imprint/image/clone.hpp"
#include "imprint/image/redo.hpp"
#include "imprint/ledger/ledger.hpp"
#include "imprint/manifest/plan.hpp"
#include "imprint/mender/paths.hpp"
#include "inject_ledger.hpp"
#include "one_device.hpp"
#include "overlay_image.hpp"
#include "profile_spec.hpp"
#include "recipe.hpp"

namespace imprint::pipeline {

namespace {

constexpr unsigned kImageMode = 0600;

/// Everything about the one device, before the image is looked at.
struct Work {
  InjectReport report;
  manifest::Manifest manifest;
  std::optional<authority::Authority> authority;
  crypto::SecretBytes key_pem;
  std::string certificate_pem;
  std::optional<crypto::Certificate> certificate;
  std::vector<std::string> texts;
  std::string identity_data;
  ConfEntries conf_entries;

  [[nodiscard]] WantedConf wanted_conf() const {
    return {.identity = manifest.identity, .settings = *conf_entries.settings};
  }

  [[nodiscard]] std::vector<ByteView> contents() const {
    std::vector<ByteView> all{key_pem.view(), bytes_of(certificate_pem)};
    for (const std::string& text : texts)
      all.push_back(bytes_of(text));
    return all;
  }
};

Result<> mint(Work& work, const OneDevice& device, const InjectRequest& request,
              const Clock& clock) {
  auto described = IMPRINT_TRY(
      device_profile(work.manifest.identity, *work.authority, clock.now(), request.manifest));
  const crypto::Certificate& issuer = work.authority->certificate();
  auto compiled =
      crypto::Profile::compile(described.spec, issuer, work.authority->signer().algorithm());
  const auto profile = IMPRINT_TRY(std::move(compiled));
  std::ranges::move(described.warnings, std::back_inserter(work.report.warnings));
  std::ranges::move(described.notes, std::back_inserter(work.report.notes));
  auto minter = IMPRINT_TRY(crypto::Minter::create(profile, issuer, work.authority->signer()));
  crypto::Identity identity;
  const std::vector<std::string_view> slots(device.slots.begin(), device.slots.end());
  IMPRINT_TRY(minter.mint(slots, identity));
  work.key_pem = std::move(identity.key_pem);
  work.certificate_pem = std::move(identity.certificate_pem);
  work.certificate = IMPRINT_TRY(crypto::Certificate::parse(bytes_of(work.certificate_pem)));
  work.report.minted = true;
  return {};
}

/// A certificate and key that somebody else made: written as they are, once they are known to
/// belong together.
Result<> take(Work& work, const InjectRequest& request) {
  constexpr std::uint64_t kPemLimitBytes = std::uint64_t{1} << 20;
  const Bytes certificate =
      IMPRINT_TRY(read_file(*request.certificate, kPemLimitBytes).context("--cert"));
  work.certificate_pem = text_of(certificate);
  work.certificate =
      IMPRINT_TRY(crypto::Certificate::parse(certificate)
                      .context(fmt::format("--cert {}", quoted(request.certificate->string()))));

  const std::string shown = quoted(request.key->string());
  work.key_pem = IMPRINT_TRY(read_secret_file(*request.key, kPemLimitBytes).context("--key"));
  const auto key =
      crypto::PrivateKey::from_pem(work.key_pem.view(), []() -> Result<crypto::SecretBytes> {
        return fail(Code::invalid_input,
                    "the key is encrypted, and the Mender client has no passphrase for it: decrypt "
                    "it first");
      });
  if (!key) return fail(Error(key.error()).context(fmt::format("--key {}", shown)));
  if (!crypto::belongs_together(*key, *work.certificate)) {
    return fail(Code::invalid_input, fmt::format("--key {} does not belong to the certificate {}",
                                                 shown, quoted(request.certificate->string())));
  }
  return {};
}

Result<Work> prepare(const InjectRequest& request, const Clock& clock) {
  Work work;
  work.manifest = IMPRINT_TRY(inject_manifest(request));
  const OneDevice device = IMPRINT_TRY(expand_one(work.manifest, request.id, request.variables));
  work.texts = device.texts;
  work.identity_data = device.identity_data;
  work.conf_entries = IMPRINT_TRY(read_conf_entries(work.manifest, clock.now()));
  work.report.warnings = work.conf_entries.warnings;
  if (request.certificate) {
    IMPRINT_TRY(take(work, request));
  } else {
    work.authority = IMPRINT_TRY(authority::Authority::open(work.manifest.authority, clock.now()));
    for (const std::string& warning : work.authority->warnings())
      work.report.warnings.push_back(warning);
    IMPRINT_TRY(mint(work, device, request, clock));
  }
  work.report.id = request.id;
  work.report.subject = work.certificate->subject_text();
  work.report.serial_hex = work.certificate->serial_hex();
  work.report.certificate_sha256 = to_hex(work.certificate->fingerprint());
  return work;
}

/// What is to be written, and the certificate that it replaces.
struct Edit {
  image::Layout layout;
  std::vector<golden::DeviceFile> device_files;
  image::Patch patch;
  std::optional<crypto::Certificate> replaced;
};

std::optional<crypto::Certificate> present_certificate(const image::FileImage& image,
                                                       const image::Layout& layout,
                                                       const std::string& path) {
  image::FileSystems file_systems(image::read_natively(image), layout);
  const auto pem = file_systems.roots().front().tree.read_file(path);
  if (!pem) return std::nullopt;
  auto certificate = crypto::Certificate::parse(*pem);
  return certificate ? std::optional(std::move(*certificate)) : std::nullopt;
}

Result<golden::Recipe> recipe_of(const Work& work, bool force) {
  const std::vector<ByteView> contents = work.contents();
  NominalSizes sizes{.key_bytes = contents[kKeyFile].size(),
                     .certificate_bytes = contents[kCertificateFile].size(),
                     .text_bytes = {}};
  for (const std::string& text : work.texts)
    sizes.text_bytes.push_back(text.size());
  return make_recipe(work.manifest, sizes, work.conf_entries, force);
}

/// Plans and checks the whole change in memory; the image is only read.
Result<Edit> plan_edit(const image::FileImage& image, const image::Layout& layout, Work& work,
                       bool force) {
  Edit edit;
  edit.layout = layout;
  const std::vector<ByteView> contents = work.contents();
  golden::Recipe recipe = IMPRINT_TRY(recipe_of(work, force));
  edit.device_files = recipe.device_files;
  edit.replaced = present_certificate(image, edit.layout, work.manifest.identity.certificate_path);

  auto built = golden::Golden::build(image, edit.layout, std::move(recipe));
  if (!built && built.error().code == Code::exists) {
    return fail(std::move(built).error().context("the image has an identity already"));
  }
  const golden::Golden golden = IMPRINT_TRY(std::move(built));
  golden::Overlay overlay;
  IMPRINT_TRY(golden.make_overlay(contents, overlay));
  const image::Canvas result = IMPRINT_TRY(overlaid(image, golden.patch(), overlay));
  image::FileSystems file_systems(image::read_natively(result), edit.layout);
  IMPRINT_TRY(check_device_files(file_systems, edit.device_files, contents));
  IMPRINT_TRY(check_configuration(file_systems, work.wanted_conf(), work.report.warnings));
  edit.patch = IMPRINT_TRY(result.patch());
  for (const std::string& note : golden.notes())
    work.report.notes.push_back(note);
  return edit;
}

/// Blocks that were free in the image, of every file system that an edit can reach.
Result<std::vector<std::shared_ptr<const image::Volume::FreeMap>>> free_maps(
    const image::FileImage& image, const image::Layout& layout) {
  std::vector<std::shared_ptr<const image::Volume::FreeMap>> maps;
  image::Canvas scratch(image);
  const auto add = [&](const image::Partition& partition) -> Result<> {
    if (!partition.file_system.starts_with("ext") || !partition.sealed.empty()) return {};
    const auto volume = IMPRINT_TRY(image::Volume::open_edit(scratch, partition, TimePoint()));
    maps.push_back(volume.original_free_map());
    return {};
  };
  if (layout.data) IMPRINT_TRY(add(*layout.data));
  if (layout.rootfs_a && layout.rootfs_a_populated) IMPRINT_TRY(add(*layout.rootfs_a));
  if (layout.rootfs_b && layout.rootfs_b_populated) IMPRINT_TRY(add(*layout.rootfs_b));
  return maps;
}

Result<> check_written(const fs::path& path, const Edit& edit, const Work& work) {
  const auto written = IMPRINT_TRY(image::FileImage::open(path));
  image::FileSystems file_systems(image::read_natively(written), edit.layout);
  return check_device_files(file_systems, edit.device_files, work.contents());
}

Result<> publish(NewFile& copy, const fs::path& target) {
  IMPRINT_TRY(copy.publish_synced());
  return sync_directory(target.parent_path().empty() ? fs::path(".") : target.parent_path());
}

Result<> write_copy(const image::FileImage& image, const fs::path& target, const Edit& edit,
                    const Work& work) {
  NewFile copy = IMPRINT_TRY(NewFile::beside(target, kImageMode));
  IMPRINT_TRY(image::clone(image.file(), copy.file()));
  IMPRINT_TRY(edit.patch.apply(copy.file()));
  IMPRINT_TRY(copy.file().sync());
  IMPRINT_TRY(check_written(copy.temporary_path(), edit, work));
  return publish(copy, target);
}

Result<> write(const InjectRequest& request, const image::FileImage& image, const Edit& edit,
               const Work& work, const std::string& note) {
  if (request.output) return write_copy(image, *request.output, edit, work);
  const auto maps = IMPRINT_TRY(free_maps(image, edit.layout));
  IMPRINT_TRY(image::InPlaceEdit::apply(request.image, edit.patch, maps, note, &image));
  return check_written(request.image, edit, work);
}

Result<> check_in_place(const fs::path& image) {
  const auto compression = image::compression_of(image);
  // All else that can be wrong with it is told where it is opened.
  if (!compression || *compression == image::Compression::none) return {};
  return fail(Code::invalid_input,
              fmt::format("{} is compressed with {}: give --output, where the new image is written "
                          "uncompressed",
                          quoted(image.string()), image::name(*compression)));
}

Result<> check_request(const InjectRequest& request) {
  if (!request.certificate && !request.ca_directory && !request.manifest) {
    return fail(
        Code::invalid_input,
        "say where the identity comes from: --ca DIR, --cert FILE --key FILE, or --manifest FILE");
  }
  if (!request.output) return check_in_place(request.image);
  std::error_code ignored;
  if (fs::equivalent(request.image, *request.output, ignored)) {
    return fail(
        Code::invalid_input,
        fmt::format("--output {} is the image itself: leave --output out to change it in place",
                    quoted(request.output->string())));
  }
  if (fs::exists(*request.output, ignored) && !request.force) {
    return fail(Code::exists, fmt::format("--output {} exists already: use --force to overwrite it",
                                          quoted(request.output->string())));
  }
  return {};
}

/// What the report says of an image that an appliance has edited, and the image.
Result<GuestEdit> edit_through_guest(const InjectRequest& request, const image::FileImage& image,
                                     const image::Layout& layout, Work& work) {
  std::error_code ignored;
  // In place: what a link leads to is replaced, not the link.
  const fs::path target = request.output ? *request.output : fs::canonical(request.image, ignored);
  unsigned mode = kImageMode;
  if (!request.output) {
    mode = static_cast<unsigned>(fs::status(target, ignored).permissions() & fs::perms::mask);
  }
  golden::Recipe recipe = IMPRINT_TRY(recipe_of(work, request.force));
  GuestEdit edit =
      IMPRINT_TRY(edit_through_guest({.image = image,
                                      .layout = layout,
                                      .wanted = work.wanted_conf(),
                                      .target = target,
                                      .mode = mode},
                                     std::move(recipe), work.contents(), request.engine));
  std::ranges::move(edit.findings.notes, std::back_inserter(work.report.notes));
  std::ranges::move(edit.findings.warnings, std::back_inserter(work.report.warnings));
  work.report.replaced = edit.findings.replaced.has_value();
  for (const ByteView content : work.contents())
    work.report.bytes_written += content.size();
  return edit;
}

/// Records the certificate, then lets `write` put the image in place. From the first on the
/// certificate is known to the ledger, whatever happens to us.
template <class Write>
Result<> record_and_write(const InjectRequest& request, const Work& work,
                          const std::optional<crypto::Certificate>& replaced, const Clock& clock,
                          Write write_image) {
  auto entry = IMPRINT_TRY(InjectLedger::record(request, work.manifest, work.authority,
                                                *work.certificate, work.identity_data, clock));
  if (!request.output) IMPRINT_TRY(entry.replaces(replaced));
  if (Result<> written = write_image(entry.note()); !written) {
    Error error = std::move(written).error();
    if (Result<> recorded = entry.failed(error.message(), clock); !recorded)
      error = std::move(error).context(recorded.error().message());
    return fail(std::move(error));
  }
  return entry.placed(clock);
}

}  // namespace

Result<InjectReport> inject(const InjectRequest& request, const Clock& clock) {
  IMPRINT_TRY(check_request(request));
  const auto finished = IMPRINT_TRY(finish_interrupted(request.image, clock));
  Work work = IMPRINT_TRY(prepare(request, clock));
  if (finished) work.report.notes.push_back(*finished);
  image::Unpacking unpacking = request.unpacking;
  if (unpacking.directory.empty() && request.output)
    unpacking.directory = request.output->parent_path();
  const auto image = IMPRINT_TRY(image::open_image(request.image, unpacking));
  const image::Layout layout = IMPRINT_TRY(layout_for(image, work.manifest));
  work.report.image = request.output.value_or(request.image);
  if (uses_appliance(request.engine, layout)) {
    GuestEdit edit = IMPRINT_TRY(edit_through_guest(request, image, layout, work));
    IMPRINT_TRY(
        record_and_write(request, work, edit.findings.replaced, clock,
                         [&](const std::string&) { return publish(edit.copy, edit.target); }));
    return std::move(work.report);
  }
  const Edit edit = IMPRINT_TRY(plan_edit(image, layout, work, request.force));
  work.report.replaced = edit.replaced.has_value();
  work.report.bytes_written = edit.patch.total_bytes();

  IMPRINT_TRY(record_and_write(request, work, edit.replaced, clock, [&](const std::string& note) {
    return write(request, image, edit, work, note);
  }));
  return std::move(work.report);
}

Result<std::optional<std::string>> finish_interrupted(const fs::path& image, const Clock& clock) {
  const image::Recovery recovery = IMPRINT_TRY(image::recover(image));
  if (recovery.outcome == image::Recovery::Outcome::nothing_to_do)
    return std::optional<std::string>();
  const bool forward = recovery.outcome == image::Recovery::Outcome::rolled_forward;
  // Only an inject has something to tell a ledger.
  std::string message =
      fmt::format("{}: an interrupted {} was {}", image.string(),
                  recovery.note.empty() ? "edit" : "inject", forward ? "finished" : "undone");
  if (Result<> settled = InjectLedger::settle(recovery.note, forward, clock); !settled) {
    message += fmt::format(" (its ledger could not be told: {})", settled.error().message());
  }
  return std::optional(std::move(message));
}

}  // namespace imprint::pipeline
