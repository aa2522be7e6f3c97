#include "failed_list.hpp"

#include "csv_file.hpp"

namespace imprint::pipeline {

namespace {

/// Not a name the user's own columns have: a list that was fed back has it already.
constexpr std::string_view kReasonColumn = "failure_reason";

}  // namespace

Result<> FailedList::publish(const fs::path& path, const manifest::DeviceTable& devices) const {
  if (failed_.empty()) return remove_file(path);
  // It repeats the input, which may hold secrets (a Wi-Fi passphrase, say).
  CsvFile csv = IMPRINT_TRY(CsvFile::create(path, 0600));
  const auto old_reason = devices.column(kReasonColumn);
  const std::vector<std::string>& columns = devices.columns();
  for (std::size_t column = 0; column < columns.size(); ++column) {
    if (column != old_reason) csv.field(columns[column]);
  }
  csv.field(kReasonColumn);
  csv.end_row();
  for (const auto& [row, reason] : failed_) {
    for (std::size_t column = 0; column < columns.size(); ++column) {
      if (column != old_reason) csv.field(devices.value(row, column));
    }
    csv.field(reason);
    csv.end_row();
  }
  return csv.publish();
}

}  // namespace imprint::pipeline
