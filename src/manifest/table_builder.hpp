#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "imprint/base/result.hpp"
#include "imprint/manifest/devices.hpp"
#include "row_index.hpp"

namespace imprint::manifest {

/// One device's row as it lies in memory: line, number of values, where each value ends, the
/// values' text. Chunks are never moved, so growing costs no second copy.
struct DeviceTable::Storage {
  static constexpr std::size_t kChunkBytes = std::size_t{1} << 20;

  fs::path source;
  /// JSON pointer of the array that holds the rows; none when rows are told by their line.
  std::optional<std::string> array_pointer;
  std::vector<std::string> columns;
  std::size_t id_column = 0;
  std::deque<std::unique_ptr<char[]>> chunks;
  std::deque<const char*> rows;
  RowIndex ids;

  [[nodiscard]] std::string_view value(std::size_t row, std::size_t column) const noexcept;
  [[nodiscard]] std::uint32_t line(std::size_t row) const noexcept;
  /// `devices.csv:17`, `manifest.json: /devices/3`.
  [[nodiscard]] std::string place_of_line(std::size_t line) const;
};

/// Fills a DeviceTable row by row, whatever the format, and holds every value to the rules of the
/// table.
class TableBuilder {
 public:
  /// `array_pointer`: see DeviceTable::Storage.
  explicit TableBuilder(fs::path source, std::optional<std::string> array_pointer = std::nullopt);

  /// A new column; its name must be one that a template can use, and new.
  Result<std::size_t> add_column(std::string_view name);
  [[nodiscard]] std::optional<std::size_t> column(std::string_view name) const noexcept;

  [[nodiscard]] std::size_t column_count() const noexcept { return storage_->columns.size(); }

  [[nodiscard]] const std::vector<std::string>& columns() const noexcept {
    return storage_->columns;
  }

  [[nodiscard]] const fs::path& source() const noexcept { return storage_->source; }

  /// Rows stand on ascending lines.
  void begin_row(std::size_t line);
  /// At most once a column and row.
  Result<> set(std::size_t column, std::string_view value);
  /// By name, making the column when it is new (JSON).
  Result<> set(std::string_view name, std::string_view value);
  Result<> end_row();

  Result<DeviceTable> finish() &&;

  /// An error in the row at hand.
  [[nodiscard]] Unexpected fail_here(std::string_view reason) const;

 private:
  Result<> check_id(std::string_view id) const;
  Result<> index_id(std::string_view id);
  char* allocate(std::size_t size_bytes);

  std::unique_ptr<DeviceTable::Storage> storage_;
  std::size_t chunk_used_ = DeviceTable::Storage::kChunkBytes;

  // The row at hand. The strings keep their memory from row to row.
  std::size_t line_ = 0;
  std::size_t expected_column_ = 0;  ///< JSON objects mostly repeat the order of the one before
  std::vector<std::string> values_;
  std::vector<bool> is_set_;
};

}  // namespace imprint::manifest
