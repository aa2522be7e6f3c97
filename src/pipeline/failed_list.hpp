#pragma once

#include <string>
#include <utility>
#include <vector>

#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"
#include "imprint/manifest/devices.hpp"

namespace imprint::pipeline {

/// failed.csv: the rows of the devices that failed in this run, in the form of the input, and why.
/// With the last column left in or taken out, it is a device list again: feed it back.
class FailedList {
 public:
  void add(std::size_t row, std::string reason) { failed_.emplace_back(row, std::move(reason)); }

  /// Writes the list; without failures, removes the one of an earlier run.
  Result<> publish(const fs::path& path, const manifest::DeviceTable& devices) const;

 private:
  std::vector<std::pair<std::size_t, std::string>> failed_;
};

}  // namespace imprint::pipeline
