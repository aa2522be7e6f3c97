// Every check that comes before the first byte is written, cheap ones first: a mistake in a
// manifest is told in milliseconds, and whatever passes here fails later only for reasons that lie
// outside (a full disk, a pulled plug).

#include "batch_plan.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "device_layout.hpp"
#include "guest_edit.hpp"
#include "imprint/base/parallel.hpp"
#include "imprint/base/text.hpp"
#include "imprint/image/clone.hpp"
#include "imprint/ledger/ledger.hpp"
#include "key_time.hpp"
#include "output_directory.hpp"
#include "overlay_image.hpp"
#include "plan_summary.hpp"
#include "profile_spec.hpp"
#include "recipe.hpp"

namespace imprint::pipeline {

namespace {

/// Sizes of the first device's files: most others need as many blocks.
Result<NominalSizes> nominal_sizes(const BatchPlan::Impl& plan) {
  std::vector<std::string> slots(plan.device_plan.slots.size());
  for (std::size_t i = 0; i < slots.size(); ++i)
    IMPRINT_TRY(plan.device_plan.slots[i].expand(plan.devices, 0, slots[i]));
  const std::vector<std::string_view> views(slots.begin(), slots.end());
  const crypto::Profile::PemSizes pem = plan.profile->max_pem_sizes(views);
  NominalSizes sizes{
      .key_bytes = pem.key_bytes, .certificate_bytes = pem.certificate_bytes, .text_bytes = {}};
  for (const auto& text : plan.device_plan.texts) {
    std::string content;
    IMPRINT_TRY(text.content.expand(plan.devices, 0, content));
    sizes.text_bytes.push_back(content.size());
  }
  return sizes;
}

Result<> plan_identity(BatchPlan::Impl& plan, const Clock& clock) {
  plan.authority = IMPRINT_TRY(authority::Authority::open(plan.manifest.authority, clock.now()));
  const auto described = IMPRINT_TRY(
      device_profile(plan.manifest.identity, *plan.authority, clock.now(), plan.manifest.path));
  const crypto::ProfileSpec& spec = described.spec;
  plan.profile =
      IMPRINT_TRY(crypto::Profile::compile(spec, plan.authority->certificate(),
                                           plan.authority->signer().algorithm())
                      .context(fmt::format("{}: /identity", plan.manifest.path.string())));
  IMPRINT_TRY(check_names(spec, *plan.authority, plan.device_plan, plan.devices));
  summarize_identity(plan, described);
  return {};
}

Result<> plan_golden(BatchPlan::Impl& plan) {
  const NominalSizes sizes = IMPRINT_TRY(nominal_sizes(plan));
  golden::Recipe recipe = IMPRINT_TRY(make_recipe(plan.manifest, sizes, plan.conf_entries, true));
  plan.device_files = recipe.device_files;
  plan.golden.emplace(IMPRINT_TRY(golden::Golden::build(*plan.base, plan.layout, std::move(recipe))
                                      .context(quoted(plan.manifest.image.string()))));
  plan.base_digest = IMPRINT_TRY(golden::content_digest(*plan.base));

  crypto::Sha256 hasher;
  hasher.update(plan.base_digest);
  hasher.update(plan.golden->patch().digest());
  plan.golden_digest = hasher.finish();

  // The configuration is judged as the client will see it: main and fallback file together, in
  // every rootfs.
  const image::Canvas golden_image =
      IMPRINT_TRY(overlaid(*plan.base, plan.golden->patch(), golden::Overlay()));
  image::FileSystems file_systems(image::read_natively(golden_image), plan.layout);
  IMPRINT_TRY(check_configuration(file_systems, plan.wanted_conf(), plan.summary.warnings)
                  .context(quoted(plan.manifest.image.string())));

  summarize_files(plan);
  for (const std::string& note : plan.golden->notes())
    plan.summary.notes.push_back(note);
  plan.summary.image_digest = to_hex(plan.base_digest);
  plan.summary.golden_digest = to_hex(plan.golden_digest);
  return {};
}

/// Where only an appliance can write to the data partition there is no golden image: all of the
/// recipe is applied to each device's copy of the base.
Result<> plan_guest(BatchPlan::Impl& plan) {
  if (plan.manifest.output.format == manifest::OutputFormat::overlay) {
    return fail(Code::unsupported,
                fmt::format("{}: overlays need a data partition that is ext2, ext3 or ext4, and {} "
                            "has {}: set output.format to \"image\"",
                            plan.manifest.path.string(), quoted(plan.manifest.image.string()),
                            plan.layout.data ? plan.layout.data->file_system : "none"));
  }
  const NominalSizes sizes = IMPRINT_TRY(nominal_sizes(plan));
  plan.guest_recipe = IMPRINT_TRY(make_recipe(plan.manifest, sizes, plan.conf_entries, true));
  plan.device_files = plan.guest_recipe->device_files;
  plan.base_digest = IMPRINT_TRY(golden::content_digest(*plan.base));
  plan.golden_digest = plan.base_digest;
  plan.summary.image_digest = to_hex(plan.base_digest);
  plan.summary.golden_digest = to_hex(plan.golden_digest);
  summarize_files(plan);
  plan.summary.notes.push_back(fmt::format(
      "libguestfs writes to the {} data partition of every image; whether there is room "
      "in it shows with the first",
      plan.layout.data ? plan.layout.data->file_system : ""));
  return {};
}

Result<std::uint64_t> allocated_bytes(const image::FileImage& image) {
  std::uint64_t sum = 0;
  for (const image::DataRange& range : IMPRINT_TRY(image::data_ranges(image.file())))
    sum += range.length_bytes;
  return sum;
}

/// Devices of the plan that earlier runs have made.
Result<std::uint64_t> count_placed(const BatchPlan::Impl& plan, const fs::path& ledger_path) {
  std::uint64_t placed = 0;
  const auto ledger = ledger::Ledger::open_read_only(ledger_path);
  if (!ledger && ledger.error().code == Code::not_found) return placed;
  if (!ledger) return fail(ledger.error());
  IMPRINT_TRY(ledger->for_each_latest([&](const ledger::DeviceRow& row) {
    if (row.state == ledger::State::placed && plan.devices.find(row.device_id)) ++placed;
  }));
  return placed;
}

/// Room for everything that is still to be made, said before starting. Generous by a little: a
/// batch must not find out at its last device.
Result<> plan_room(BatchPlan::Impl& plan) {
  constexpr std::uint64_t kLedgerBytesPerDevice = 700;
  constexpr std::uint64_t kOverlayBytesPerDevice = 4096;
  constexpr std::uint64_t kGuestBytesPerDevice = 4U << 20;  // journals and trees that move
  constexpr std::uint64_t kFileOverhead = 16384;            // inode, bmap, metadata of a clone
  const manifest::OutputSpec& output = plan.manifest.output;
  IMPRINT_TRY(check_writable(output.directory));

  const std::uint64_t placed = IMPRINT_TRY(count_placed(plan, output.directory / "ledger.db"));
  std::uint64_t& to_make = plan.to_make;
  to_make = plan.devices.size() - placed;
  if (plan.limit) to_make = std::min(to_make, *plan.limit);

  std::uint64_t per_device = kLedgerBytesPerDevice;
  std::uint64_t once = 0;
  if (output.format == manifest::OutputFormat::overlay) {
    per_device += kOverlayBytesPerDevice;
  } else {
    plan.summary.reflink = IMPRINT_TRY(image::can_reflink(output.directory));
    const std::uint64_t golden =
        IMPRINT_TRY(allocated_bytes(*plan.base)) +
        (plan.golden ? plan.golden->patch().total_bytes() : kGuestBytesPerDevice);
    per_device += kFileOverhead + (plan.summary.reflink ? (plan.golden ? 2 * kOverlayBytesPerDevice
                                                                       : 2 * kGuestBytesPerDevice)
                                                        : golden);
    const fs::path golden_file =
        output.directory / ".imprint" / golden_image_name(plan.summary.golden_digest);
    std::error_code ignored;
    if (plan.golden && !fs::exists(golden_file, ignored)) once = golden;
  }
  plan.summary.bytes_needed = plan.unpacked_bytes + once + to_make * per_device;
  plan.summary.bytes_free =
      IMPRINT_TRY(free_space_bytes(output.directory)) + plan.unpacked_there_bytes;
  if (plan.summary.bytes_needed > plan.summary.bytes_free) {
    constexpr double kMebibyte = 1024.0 * 1024.0;
    return fail(Code::no_space,
                fmt::format("output directory {}: {} devices need {:.1f} MiB and {:.1f} MiB are "
                            "free: make room, use --format overlay, or --limit",
                            quoted(output.directory.string()), to_make,
                            static_cast<double>(plan.summary.bytes_needed) / kMebibyte,
                            static_cast<double>(plan.summary.bytes_free) / kMebibyte));
  }
  return {};
}

/// Where a file was named, for the message that it cannot be opened.
std::string naming(const BatchRequest& request, const std::optional<fs::path>& flag,
                   std::string_view option, std::string_view pointer) {
  if (flag) return std::string(option);
  return fmt::format("{}: {}", request.manifest.string(), pointer);
}

Result<manifest::DeviceTable> read_devices(const BatchRequest& request,
                                           const manifest::Manifest& manifest) {
  auto table = manifest::load_devices(manifest);
  // All else that can be wrong with it is told with file, line and column.
  if (table || (table.error().code != Code::not_found && table.error().code != Code::io))
    return table;
  return std::move(table).context(
      naming(request, request.overrides.devices, "--devices", "/devices"));
}

Result<> open_base(BatchPlan::Impl& plan, const BatchRequest& request) {
  const fs::path& path = plan.manifest.image;
  const std::string named = naming(request, request.overrides.image, "--image", "/image");
  const auto compression = IMPRINT_TRY(image::compression_of(path).context(named));
  image::Unpacking unpacking = request.unpacking;
  if (unpacking.directory.empty()) unpacking.directory = plan.manifest.output.directory;
  const bool beside_output = unpacking.directory == plan.manifest.output.directory;
  if (compression != image::Compression::none && beside_output)
    IMPRINT_TRY(check_writable(unpacking.directory));
  plan.base = IMPRINT_TRY(image::open_image(path, unpacking).context(named));
  if (!plan.base->was_compressed()) return {};

  const std::uint64_t bytes = IMPRINT_TRY(allocated_bytes(*plan.base));
  plan.unpacked_bytes = bytes;
  if (beside_output) plan.unpacked_there_bytes = bytes;
  if (plan.manifest.output.bmap) {
    plan.summary.notes.push_back(
        fmt::format("{} is compressed, which does not tell holes from zeros: block maps list every "
                    "block",
                    quoted(path.string())));
  }
  return {};
}

Result<std::unique_ptr<BatchPlan::Impl>> make_plan(const BatchRequest& request,
                                                   const Clock& clock) {
  manifest::Manifest checked =
      IMPRINT_TRY(manifest::load_manifest(request.manifest, request.overrides));
  manifest::DeviceTable table = IMPRINT_TRY(read_devices(request, checked));
  auto plan = std::make_unique<BatchPlan::Impl>(std::move(checked), std::move(table));
  plan->jobs = request.jobs == 0 ? usable_cpus() : request.jobs;
  plan->limit = request.limit;
  plan->manifest_digest = crypto::sha256(IMPRINT_TRY(read_file(plan->manifest.path)));
  plan->device_plan = IMPRINT_TRY(manifest::plan_devices(plan->manifest, plan->devices));

  plan->conf_entries = IMPRINT_TRY(read_conf_entries(plan->manifest, clock.now()));

  PlanSummary& summary = plan->summary;
  summary.warnings = plan->conf_entries.warnings;
  summary.settings = setting_lines(*plan->conf_entries.settings);
  summary.manifest = plan->manifest.path.string();
  summary.image = plan->manifest.image.string();
  summary.output_directory = plan->manifest.output.directory.string();
  summary.format = manifest::word(plan->manifest.output.format);
  summary.devices = plan->devices.size();

  IMPRINT_TRY(plan_identity(*plan, clock));
  IMPRINT_TRY(open_base(*plan, request));
  plan->layout = IMPRINT_TRY(layout_for(*plan->base, plan->manifest));
  plan->engine = request.engine;
  IMPRINT_TRY(uses_appliance(plan->engine, plan->layout) ? plan_guest(*plan) : plan_golden(*plan));
  IMPRINT_TRY(plan_room(*plan));
  if (request.time_keys && takes_long(plan->manifest.identity.key)) {
    const double each = IMPRINT_TRY(seconds_per_key(plan->manifest.identity.key, plan->jobs));
    summary.key_seconds = each * static_cast<double>(plan->to_make);
  }
  return plan;
}

}  // namespace

golden::StoreHeader BatchPlan::Impl::store_header() const {
  return {
      .base_path = fs::absolute(manifest.image).lexically_normal().string(),
      .base_size_bytes = base->size_bytes(),
      .base_digest = base_digest,
      .golden_digest = golden_digest,
      .golden_patch = golden->patch(),
      .bmap = manifest.output.bmap,
  };
}

BatchPlan::BatchPlan(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

BatchPlan::BatchPlan(BatchPlan&&) noexcept = default;
BatchPlan& BatchPlan::operator=(BatchPlan&&) noexcept = default;
BatchPlan::~BatchPlan() = default;

Result<BatchPlan> BatchPlan::make(const BatchRequest& request, const Clock& clock) {
  return BatchPlan(IMPRINT_TRY(make_plan(request, clock)));
}

const PlanSummary& BatchPlan::summary() const noexcept {
  return impl_->summary;
}

}  // namespace imprint::pipeline
