// The checks of one image, in order: each goes on where the one before still means something.

#include "image_checks.hpp"

#include <fmt/format.h>

#include "configuration.hpp"
#include "file_system_checks.hpp"
#include "golden_difference.hpp"
#include "identity.hpp"
#include "imprint/files/image.hpp"
#include "imprint/golden/device_image.hpp"
#include "imprint/image/bmap_check.hpp"
#include "key_copies.hpp"
#include "ledger_record.hpp"
#include "trust_files.hpp"

namespace imprint::verify {

namespace {

constexpr std::string_view kQuick = "left out by --quick";

class ImageJudge {
 public:
  ImageJudge(const Target& target, const Against& against)
      : target_(target),
        against_(against),
        findings_(judged_.verdict.checks) {
    judged_.verdict.image = target.shown;
  }

  Judged run() {
    const Result<> opened = target_.store == nullptr ? judge_file() : judge_overlay();
    if (!opened) {
      judged_.trouble = opened.error().code;
      explain(opened.error());
    }
    return std::move(judged_);
  }

 private:
  Result<> judge_file() {
    const Request& request = against_.request;
    image::Unpacking unpacking = request.unpacking;
    if (unpacking.directory.empty()) unpacking.directory = image::temporary_directory();
    const files::ViewOptions options{.engine = request.engine.engine,
                                     .appliance = pipeline::appliance_options(request.engine),
                                     .layout = request.layout,
                                     .partition = {}};
    const auto view = IMPRINT_TRY(files::ImageView::open(target_.path, options, unpacking));
    OpenImage image{.bytes = view->file(),
                    .file = view->file(),
                    .layers = {},
                    .layout = view->layout(),
                    .file_systems = view->file_systems(),
                    .roots = view->roots()};
    judge(image);
    check_bmap(image);
    return {};
  }

  Result<> judge_overlay() {
    OpenStore& store = *target_.store;
    golden::Overlay overlay;
    {
      const std::lock_guard lock(store.mutex);
      const auto entry = IMPRINT_TRY(store.store.get(target_.id));
      IMPRINT_TRY(overlay.parse(entry.serialized.view()).context("overlay"));
    }
    const image::Patch& golden = store.store.header().golden_patch;
    const golden::DeviceImage bytes(store.base, golden, overlay);
    image::FileSystems file_systems(image::read_natively(bytes), store.layout);
    OpenImage image{.bytes = bytes,
                    .file = store.base,
                    .layers = {},
                    .layout = store.layout,
                    .file_systems = file_systems,
                    .roots = file_systems.roots()};
    for (const image::Write& write : golden.writes)
      image.layers.push_back({write.offset, write.bytes});
    for (const golden::Overlay::Piece& piece : overlay.pieces())
      image.layers.push_back({piece.offset, overlay.bytes_of(piece)});
    judge(image);
    return {};
  }

  /// Why an image could not be opened. Whoever looks for the part that each partition plays meets
  /// damaged file systems first.
  void explain(const Error& error) {
    if (target_.store == nullptr) {
      const auto file = image::FileImage::open(target_.path);
      const auto table = file ? image::read_partition_table(*file)
                              : Result<image::PartitionTable>(fail(file.error()));
      const auto sound =
          table ? check_partitions(*file, table->partitions) : Result<std::size_t>(0);
      if (!sound) return findings_.failed(check::kFileSystems, sound.error().message());
    }
    findings_.failed(check::kPartitions, error.message());
  }

  void judge(OpenImage& image) {
    if (!check_file_systems(image, findings_)) return;
    std::vector<Client> clients = check_configuration(image, findings_);
    const auto identity = check_identity(image, clients, findings_);
    const TimePoint at = against_.request.at;
    if (identity) {
      note(identity->certificate);
      check_trust(identity->certificate, against_.trust, at, findings_);
    }
    check_trust_files(image, clients, at, findings_);
    if (!identity) return;
    check_records(image, identity->certificate, clients);
    check_content(image, *identity);
  }

  void note(const crypto::Certificate& certificate) {
    judged_.certificate = certificate;
    judged_.verdict.certificate_subject = certificate.subject_text();
    judged_.verdict.certificate_sha256 = to_hex(certificate.fingerprint());
    judged_.verdict.serial_hex = certificate.serial_hex();
  }

  void check_records(OpenImage& image, const crypto::Certificate& certificate,
                     std::vector<Client>& clients) {
    std::string& id = judged_.verdict.device_id;
    if (target_.ledger != nullptr) {
      id = check_ledger(certificate, *target_.ledger, findings_);
    } else {
      findings_.skipped(check::kLedger, "name it with --ledger");
    }
    if (against_.manifest) {
      const ManifestRecord::Clues clues{.image_name = target_.image_name, .ledger_id = id};
      const std::string by_manifest =
          against_.manifest->check(image, certificate, clients, clues, findings_);
      if (id.empty()) id = by_manifest;
    } else {
      findings_.skipped(check::kManifest, "name it with --manifest");
    }
  }

  /// What reads all of the image.
  void check_content(OpenImage& image, const Identity& identity) {
    if (against_.request.quick) {
      findings_.skipped(check::kKeyCopies, std::string(kQuick));
      if (against_.golden) findings_.skipped(check::kGolden, std::string(kQuick));
      return;
    }
    check_key_copies(image, identity, findings_, against_.stop);
    if (!against_.golden) return findings_.skipped(check::kGolden, "name it with --golden");
    const auto files =
        against_.manifest ? against_.manifest->device_files() : std::vector<std::string>();
    check_golden(image, identity, files, *against_.golden, findings_, against_.stop);
  }

  /// The file of the image's name, whether or not the image was compressed since.
  [[nodiscard]] std::optional<fs::path> bmap_path() const {
    if (against_.request.bmap) return against_.request.bmap;
    std::error_code error;
    fs::path beside = target_.path.string() + ".bmap";
    if (fs::exists(beside, error)) return beside;
    beside = target_.path;
    beside.replace_extension(".bmap");  // x.sdimg.gz -> x.sdimg.bmap
    if (target_.path.stem().has_extension() && fs::exists(beside, error)) return beside;
    return std::nullopt;
  }

  void check_bmap(const OpenImage& image) {
    const auto path = bmap_path();
    if (!path)
      return findings_.skipped(check::kBmap, "there is none beside it; name it with --bmap");
    if (against_.request.quick) return findings_.skipped(check::kBmap, std::string(kQuick));
    const auto matches = image::check_bmap(image.file, *path);
    if (matches) {
      findings_.passed(check::kBmap, path->string() + " matches");
    } else {
      findings_.failed(check::kBmap, matches.error().message());
    }
  }

  const Target& target_;
  const Against& against_;
  Judged judged_;
  Findings findings_;
};

}  // namespace

Judged judge_image(const Target& target, const Against& against) {
  // A thread of a crew must not throw; memory may run out over a hostile image.
  try {
    return ImageJudge(target, against).run();
  } catch (const std::exception& thrown) {
    Judged judged;
    judged.verdict.image = target.shown;
    Findings(judged.verdict.checks).failed(check::kPartitions, thrown.what());
    judged.trouble = Code::internal;
    return judged;
  }
}

}  // namespace imprint::verify
