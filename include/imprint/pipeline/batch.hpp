#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "imprint/base/clock.hpp"
#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"
#include "imprint/image/decompress.hpp"
#include "imprint/manifest/manifest.hpp"
#include "imprint/pipeline/engine.hpp"

namespace imprint::pipeline {

/// What the user asked for.
struct BatchRequest {
  fs::path manifest;
  manifest::Overrides overrides;
  unsigned jobs = 0;                   ///< threads; 0: as many as this process may use
  std::optional<std::uint64_t> limit;  ///< at most so many devices in this run
  /// Makes a few keys, where they take long (RSA), to say how long all will take.
  bool time_keys = false;
  /// For a compressed base image. No directory: the output directory, where golden image and
  /// devices can share its extents.
  image::Unpacking unpacking = {};
  EngineChoice engine = {};
};

/// What a plan says, for people and machines.
struct PlanSummary {
  std::string manifest;
  std::string image;
  std::string image_digest;   ///< content digest of the base image, hex
  std::string golden_digest;  ///< names the golden image, hex
  std::string authority;      ///< subject of the CA
  std::string not_before;
  std::string not_after;
  std::string key;
  std::string profile;                  ///< "mender" or "idevid"
  std::vector<std::string> subject;     ///< "CN={id}", as the manifest has it
  std::vector<std::string> alt_names;   ///< "DNS:{id}.example.com"
  std::vector<std::string> extensions;  ///< "keyUsage (critical): digitalSignature"
  std::string output_directory;
  std::string format;  ///< "image" or "overlay"
  std::uint64_t devices = 0;
  std::uint64_t bytes_needed = 0;  ///< room for the output, estimated for all devices
  std::uint64_t bytes_free = 0;
  bool reflink = false;
  /// How long the keys of the devices that are still to be made will take, as measured with a few;
  /// none unless it was asked for, and for kinds of key that take no time.
  std::optional<double> key_seconds;
  /// What the entries of the manifest's `mender_conf` set, without the token: "ServerURL:
  /// https://mender.example.com", "TenantToken: (not shown)".
  std::vector<std::string> settings;
  std::vector<std::string> shared_files;  ///< the same on all devices, as `placed_files`
  std::vector<std::string> placed_files;  ///< "/data/mender/mender-cert.pem (partition 4)"
  std::vector<std::string> notes;
  std::vector<std::string> warnings;
};

/// Everything of a batch, checked; nothing has been written. Immutable.
class BatchPlan {
 public:
  struct Impl;

  /// Reads and checks the whole manifest, the devices, the authority, the image and the room for
  /// the output.
  static Result<BatchPlan> make(const BatchRequest& request, const Clock& clock);
  BatchPlan(BatchPlan&&) noexcept;
  BatchPlan& operator=(BatchPlan&&) noexcept;
  ~BatchPlan();

  [[nodiscard]] const PlanSummary& summary() const noexcept;

  [[nodiscard]] const Impl& impl() const noexcept { return *impl_; }

 private:
  explicit BatchPlan(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Where the time went, in seconds summed over all workers.
struct StageSeconds {
  double mint = 0;    ///< keys, certificates, overlays and their check
  double record = 0;  ///< ledger
  double place = 0;   ///< image sink: clone, overlay, sync, check
  double finish = 0;  ///< publish, store, lists
};

struct BatchReport {
  std::uint64_t devices = 0;      ///< in the manifest
  std::uint64_t done_before = 0;  ///< by earlier runs
  std::uint64_t done = 0;         ///< by this run
  std::uint64_t failed = 0;
  std::uint64_t superseded = 0;  ///< certificates of an interrupted run whose image never appeared
  std::uint64_t bytes_written = 0;  ///< overlays, or overlay bytes inside images
  bool interrupted = false;
  bool limited = false;  ///< stopped by `limit`
  double seconds = 0;
  std::uint64_t peak_memory_bytes = 0;  ///< of the process so far
  unsigned jobs = 0;
  StageSeconds stages;
  std::vector<std::string> warnings;
};

/// Told what happens, in the manifest's order, from one thread at a time (not always the same).
/// Must not throw.
class BatchObserver {
 public:
  virtual ~BatchObserver() = default;

  virtual void batch_started(const PlanSummary& /*plan*/, std::uint64_t /*to_do*/,
                             std::uint64_t /*done_before*/) {}

  struct DeviceDone {
    std::string_view id;
    std::string_view file;  ///< name in the output directory
    std::string_view serial_hex;
    std::string_view certificate_sha256;
  };

  virtual void device_done(const DeviceDone& /*device*/) {}

  virtual void device_failed(std::string_view /*id*/, std::string_view /*reason*/) {}

  virtual void batch_finished(const BatchReport& /*report*/) {}
};

/// Makes every device of the plan that is not done yet. `stop` is looked at before each key is
/// made: devices in hand are finished. An error means that the batch itself could not go on
/// (ledger, no space, output busy); what was done stays done and recorded.
Result<BatchReport> run_batch(const BatchPlan& plan, BatchObserver& observer,
                              const std::atomic<bool>& stop, const Clock& clock);

/// JSON Lines to a stream: one line per event (`--events`). The stream outlives the observer.
class EventWriter final : public BatchObserver {
 public:
  EventWriter(std::ostream& stream, const Clock& clock) : stream_(stream), clock_(clock) {}

  void batch_started(const PlanSummary& plan, std::uint64_t to_do,
                     std::uint64_t done_before) override;
  void device_done(const DeviceDone& device) override;
  void device_failed(std::string_view id, std::string_view reason) override;
  void batch_finished(const BatchReport& report) override;

 private:
  std::ostream& stream_;
  const Clock& clock_;
};

/// The plan and the report as JSON texts (docs/output.md), two-space indented.
[[nodiscard]] std::string to_json(const PlanSummary& plan);
[[nodiscard]] std::string to_json(const PlanSummary& plan, const BatchReport& report);

}  // namespace imprint::pipeline
