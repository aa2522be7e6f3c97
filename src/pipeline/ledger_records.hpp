#pragma once

#include <string>
#include <vector>

#include "batch_plan.hpp"
#include "device.hpp"
#include "imprint/ledger/ledger.hpp"

namespace imprint::pipeline {

/// Name of the overlay store in an output directory, and in the ledger for the devices it holds.
inline constexpr std::string_view kStoreName = "overlays.db";

/// What the ledger calls the place of a device's identity: its image, or the store.
[[nodiscard]] std::string_view placed_file(const BatchPlan::Impl& plan,
                                           std::string_view image_name) noexcept;

/// A device's certificate as the ledger wants it. Refers to the device's and the plan's memory.
[[nodiscard]] ledger::Issued issued_record(const BatchPlan::Impl& plan, const Device& device,
                                           TimePoint at);

/// What became of certificates, kept until the ledger's next transaction. Owns its texts: the
/// devices' buffers serve others by then.
class PendingOutcomes {
 public:
  /// Placed, or failed with the device's reason.
  void add(const BatchPlan::Impl& plan, const Device& device, TimePoint at);

  /// As the ledger takes them; valid until this object changes.
  [[nodiscard]] std::vector<ledger::Outcome> records() const;

 private:
  struct Entry {
    std::int64_t certificate_row = 0;
    ledger::State state = ledger::State::placed;
    std::string file;
    std::string reason;
    TimePoint at;
  };

  std::vector<Entry> entries_;
};

}  // namespace imprint::pipeline
