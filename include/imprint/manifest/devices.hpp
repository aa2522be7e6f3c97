#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"

namespace imprint::manifest {

/// The devices of a batch: a table of texts, one row a device, in the order of the input. Every row
/// has an `id`. Immutable and compact: a million rows of three short columns take about 80 MB.
/// Reading is thread-safe.
///
/// What holds for every table: ids obey check_device_id and differ even when case is ignored;
/// values are UTF-8 without control and bidirectional characters (line breaks and tabs excepted: a
/// file's text may want them).
class DeviceTable {
 public:
  DeviceTable(DeviceTable&&) noexcept;
  DeviceTable& operator=(DeviceTable&&) noexcept;
  DeviceTable(const DeviceTable&) = delete;
  DeviceTable& operator=(const DeviceTable&) = delete;
  ~DeviceTable();

  /// Number of devices, at least 1.
  [[nodiscard]] std::size_t size() const noexcept;

  /// Column names in the order of the input; the index is the column's number. One of them is `id`.
  [[nodiscard]] const std::vector<std::string>& columns() const noexcept;
  [[nodiscard]] std::optional<std::size_t> column(std::string_view name) const noexcept;

  [[nodiscard]] std::string_view id(std::size_t row) const noexcept;
  /// Empty where the input has no value. Valid as long as the table.
  [[nodiscard]] std::string_view value(std::size_t row, std::size_t column) const noexcept;
  /// The row of an id, exactly as written.
  [[nodiscard]] std::optional<std::size_t> find(std::string_view id) const noexcept;

  /// The file the devices came from, as it was named; the manifest itself when they stand in it.
  [[nodiscard]] const fs::path& source() const noexcept;
  /// Line the row begins on (CSV, JSON Lines; from 1), or its index in the array (JSON; from 0).
  [[nodiscard]] std::size_t line(std::size_t row) const noexcept;
  /// The row's place, to begin a message with: `devices.csv:17`, or `manifest.json: /devices/3`.
  [[nodiscard]] std::string place(std::size_t row) const;

 private:
  friend class TableBuilder;
  struct Storage;

  explicit DeviceTable(std::unique_ptr<const Storage> storage);

  std::unique_ptr<const Storage> storage_;
};

/// 1-64 of `A-Z a-z 0-9 . _ : -`, not starting with a dot or dash: safe as a file name on every
/// system imprint knows, and in a URL. The message says the rule, not the id.
[[nodiscard]] Result<> check_device_id(std::string_view id);

/// Reads a `.csv`, `.jsonl`/`.ndjson` or `.json` file; the extension decides. `shown_as` is the
/// name for messages. CSV (RFC 4180): header row, comma, LF or CRLF, quotes, byte order mark; a
/// ragged row is an error. JSON: an array (or one object a line) of objects with text, number or
/// true/false values; numbers keep their digits; a missing key is empty. All errors are
/// Code::invalid_input (or the file's own) and name file and line.
[[nodiscard]] Result<DeviceTable> read_devices(const fs::path& file, const fs::path& shown_as);

/// The same from text in memory.
[[nodiscard]] Result<DeviceTable> parse_csv_devices(std::string_view text,
                                                    const fs::path& shown_as);
[[nodiscard]] Result<DeviceTable> parse_json_lines_devices(std::string_view text,
                                                           const fs::path& shown_as);
[[nodiscard]] Result<DeviceTable> parse_json_devices(std::string_view text,
                                                     const fs::path& shown_as);

/// The devices that stand in the manifest `shown_as` under `/devices`.
[[nodiscard]] Result<DeviceTable> inline_devices(const nlohmann::ordered_json& array,
                                                 const fs::path& shown_as);

/// A table of one device, for a command that takes `--id` and `--set name=value`; `shown_as` as
/// "--set" would be.
struct NamedValue {
  std::string name;
  std::string value;
};

[[nodiscard]] Result<DeviceTable> one_device(std::string_view id,
                                             const std::vector<NamedValue>& values,
                                             const fs::path& shown_as);

}  // namespace imprint::manifest
