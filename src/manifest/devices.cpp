#include "imprint/manifest/devices.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "readers.hpp"
#include "table_builder.hpp"

namespace imprint::manifest {
namespace {

constexpr std::size_t kMaxIdBytes = 64;

[[nodiscard]] bool may_be_in_id(char c) noexcept {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == ':' || c == '-';
}

}  // namespace

DeviceTable::DeviceTable(std::unique_ptr<const Storage> storage) : storage_(std::move(storage)) {}

DeviceTable::DeviceTable(DeviceTable&&) noexcept = default;
DeviceTable& DeviceTable::operator=(DeviceTable&&) noexcept = default;
DeviceTable::~DeviceTable() = default;

std::size_t DeviceTable::size() const noexcept {
  return storage_->rows.size();
}

const std::vector<std::string>& DeviceTable::columns() const noexcept {
  return storage_->columns;
}

std::optional<std::size_t> DeviceTable::column(std::string_view name) const noexcept {
  const auto found = std::find(columns().begin(), columns().end(), name);
  if (found == columns().end()) return std::nullopt;
  return static_cast<std::size_t>(found - columns().begin());
}

std::string_view DeviceTable::id(std::size_t row) const noexcept {
  return storage_->value(row, storage_->id_column);
}

std::string_view DeviceTable::value(std::size_t row, std::size_t column) const noexcept {
  return storage_->value(row, column);
}

std::optional<std::size_t> DeviceTable::find(std::string_view id) const noexcept {
  const auto same = [this, id](std::uint32_t row) { return this->id(row) == id; };
  return storage_->ids.find(folded_hash(id), same);
}

const fs::path& DeviceTable::source() const noexcept {
  return storage_->source;
}

std::size_t DeviceTable::line(std::size_t row) const noexcept {
  return storage_->line(row);
}

std::string DeviceTable::place(std::size_t row) const {
  return storage_->place_of_line(line(row));
}

Result<> check_device_id(std::string_view id) {
  if (id.empty()) return fail(Code::invalid_input, "an id cannot be empty");
  if (id.size() > kMaxIdBytes) {
    return fail(Code::invalid_input,
                fmt::format("{} bytes; at most {} are possible", id.size(), kMaxIdBytes));
  }
  if (!std::all_of(id.begin(), id.end(), may_be_in_id)) {
    return fail(Code::invalid_input, "only A-Z a-z 0-9 . _ : - are possible");
  }
  if (id.front() == '.' || id.front() == '-') {
    return fail(Code::invalid_input, "it cannot start with a dot or dash");
  }
  return {};
}

Result<DeviceTable> read_devices(const fs::path& file, const fs::path& shown_as) {
  const std::string extension = to_lower_ascii(file.extension().native());
  if (extension == ".csv") return read_csv(file, shown_as);
  if (extension == ".jsonl" || extension == ".ndjson") return read_json_lines(file, shown_as);
  if (extension == ".json") return read_json_array(file, shown_as);
  return fail(Code::invalid_input, fmt::format("{}: a device list is a .csv, .jsonl or .json file",
                                               quoted(shown_as.native())));
}

Result<DeviceTable> one_device(std::string_view id, const std::vector<NamedValue>& values,
                               const fs::path& shown_as) {
  TableBuilder builder(shown_as, "/devices");
  builder.begin_row(0);
  IMPRINT_TRY(builder.set("id", id));
  for (const NamedValue& value : values)
    IMPRINT_TRY(builder.set(value.name, value.value));
  IMPRINT_TRY(builder.end_row());
  return std::move(builder).finish();
}

}  // namespace imprint::manifest
