#pragma once

#include <algorithm>
#include <cstdint>

#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"
#include "imprint/manifest/devices.hpp"

namespace imprint::manifest {

// Device tables from files, one function a format. `shown_as` names the file in messages.
Result<DeviceTable> read_csv(const fs::path& file, const fs::path& shown_as);
Result<DeviceTable> read_json_lines(const fs::path& file, const fs::path& shown_as);
Result<DeviceTable> read_json_array(const fs::path& file, const fs::path& shown_as);

/// Calls `take(std::string_view part)` for a file's bytes in order, in parts of bounded size, until
/// they end or `take` fails.
template <class Take>
Result<> for_each_part(const fs::path& path, const Take& take) {
  constexpr std::uint64_t kPartBytes = std::uint64_t{256} << 10;
  const File file = IMPRINT_TRY(File::open_read(path));
  const std::uint64_t size = IMPRINT_TRY(file.size_bytes());
  Bytes part;
  for (std::uint64_t offset = 0; offset < size; offset += part.size()) {
    part.resize(static_cast<std::size_t>(std::min(kPartBytes, size - offset)));
    IMPRINT_TRY(file.read_exact(offset, part));
    IMPRINT_TRY(take(text_of(part)));
  }
  return {};
}

}  // namespace imprint::manifest
