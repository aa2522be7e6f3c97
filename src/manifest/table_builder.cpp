#include "table_builder.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "imprint/base/utf8.hpp"
#include "imprint/manifest/template.hpp"

namespace imprint::manifest {
namespace {

/// More than any table of devices has; keeps the search for a column short.
constexpr std::size_t kMaxColumns = 256;
/// Room for a file's text. An unclosed quote would otherwise swallow the rest of the table.
constexpr std::size_t kMaxValueBytes = std::size_t{1} << 20;

[[nodiscard]] bool is_printable_ascii(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

/// Line breaks and tabs are left to those who use the value: a file's text may hold them, no name
/// does.
Result<> check_characters(std::string_view text) {
  if (is_printable_ascii(text)) return {};
  if (const auto bad = utf8::first_invalid(text)) {
    return fail(Code::invalid_input,
                fmt::format("invalid UTF-8 at byte {}; save the file as UTF-8", *bad + 1));
  }
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of("\n\r\t"), text.size());
    if (const auto forbidden = utf8::forbidden_character(text.substr(0, end))) {
      return fail(Code::invalid_input, fmt::format("{} is not allowed", *forbidden));
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return {};
}

Result<> check_column_name(std::string_view name) {
  IMPRINT_TRY(check_characters(name));
  if (name.front() == ' ' || name.back() == ' ') {
    return fail(Code::invalid_input, fmt::format("column {}: space around the name", quoted(name)));
  }
  if (name.find_first_of("{}\n\r\t") != std::string_view::npos) {
    return fail(
        Code::invalid_input,
        fmt::format("column {}: braces, tabs and line breaks cannot be in a name", quoted(name)));
  }
  return {};
}

[[nodiscard]] std::uint32_t load(const char* from) noexcept {
  std::uint32_t value = 0;
  std::memcpy(&value, from, sizeof value);
  return value;
}

char* store(char* to, std::size_t value) noexcept {
  const auto narrow = static_cast<std::uint32_t>(value);
  std::memcpy(to, &narrow, sizeof narrow);
  return to + sizeof narrow;
}

constexpr std::size_t kWord = sizeof(std::uint32_t);

}  // namespace

std::string_view DeviceTable::Storage::value(std::size_t row, std::size_t column) const noexcept {
  const char* const record = rows[row];
  const std::size_t count = load(record + kWord);
  if (column >= count) return {};  // the column appeared after this row
  const char* const ends = record + 2 * kWord;
  const std::size_t begin = column == 0 ? 0 : load(ends + (column - 1) * kWord);
  return {ends + count * kWord + begin, load(ends + column * kWord) - begin};
}

std::uint32_t DeviceTable::Storage::line(std::size_t row) const noexcept {
  return load(rows[row]);
}

std::string DeviceTable::Storage::place_of_line(std::size_t line) const {
  if (!array_pointer) return fmt::format("{}:{}", printable(source.native()), line);
  return fmt::format("{}: {}/{}", printable(source.native()), *array_pointer, line);
}

TableBuilder::TableBuilder(fs::path source, std::optional<std::string> array_pointer)
    : storage_(std::make_unique<DeviceTable::Storage>()) {
  storage_->source = std::move(source);
  storage_->array_pointer = std::move(array_pointer);
}

Result<std::size_t> TableBuilder::add_column(std::string_view name) {
  if (name.empty()) return fail_here(fmt::format("column {} has no name", column_count() + 1));
  const auto valid = check_column_name(name);
  if (!valid) return fail_here(valid.error().what);
  if (column(name)) return fail_here(fmt::format("column {} appears twice", quoted(name)));
  if (column_count() == kMaxColumns) {
    return fail_here(fmt::format("more than {} columns", kMaxColumns));
  }
  storage_->columns.emplace_back(name);
  values_.emplace_back();
  is_set_.push_back(false);
  return column_count() - 1;
}

std::optional<std::size_t> TableBuilder::column(std::string_view name) const noexcept {
  const auto& columns = storage_->columns;
  const auto found = std::find(columns.begin(), columns.end(), name);
  if (found == columns.end()) return std::nullopt;
  return static_cast<std::size_t>(found - columns.begin());
}

void TableBuilder::begin_row(std::size_t line) {
  line_ = line;
  expected_column_ = 0;
  for (std::string& value : values_)
    value.clear();
  is_set_.assign(is_set_.size(), false);
}

Result<> TableBuilder::set(std::size_t column, std::string_view value) {
  const std::string& name = storage_->columns[column];
  if (is_set_[column]) return fail_here(fmt::format("key {} appears twice", quoted(name)));
  if (value.size() > kMaxValueBytes) {
    return fail_here(fmt::format("column {}: {} bytes; at most {} are possible", quoted(name),
                                 value.size(), kMaxValueBytes));
  }
  if (const auto valid = check_characters(value); !valid) {
    return fail_here(fmt::format("column {}: {}", quoted(name), valid.error().what));
  }
  is_set_[column] = true;
  values_[column] = value;
  return {};
}

Result<> TableBuilder::set(std::string_view name, std::string_view value) {
  if (expected_column_ < column_count() && storage_->columns[expected_column_] == name) {
    return set(expected_column_++, value);
  }
  const auto known = column(name);
  const std::size_t at = known ? *known : IMPRINT_TRY(add_column(name));
  expected_column_ = at + 1;
  return set(at, value);
}

Result<> TableBuilder::end_row() {
  const auto id_column = column("id");
  if (!id_column || values_[*id_column].empty())
    return fail_here("no 'id'; every device needs one");
  storage_->id_column = *id_column;
  IMPRINT_TRY(check_id(values_[*id_column]));

  std::size_t text_bytes = 0;
  for (const std::string& value : values_)
    text_bytes += value.size();
  constexpr std::size_t kMax = std::numeric_limits<std::uint32_t>::max() - 1;
  if (storage_->rows.size() >= kMax || line_ >= kMax || text_bytes >= kMax) {
    return fail_here("too many rows, lines or bytes; split the table");
  }

  char* const record = allocate(2 * kWord + values_.size() * kWord + text_bytes);
  char* at = store(record, line_);
  at = store(at, values_.size());
  std::size_t end = 0;
  for (const std::string& value : values_)
    at = store(at, end += value.size());
  for (const std::string& value : values_)
    at = std::copy(value.begin(), value.end(), at);
  storage_->rows.push_back(record);
  return index_id(values_[*id_column]);
}

Result<> TableBuilder::check_id(std::string_view id) const {
  const auto valid = check_device_id(id);
  if (!valid) return fail_here(fmt::format("id {}: {}", quoted(id), valid.error().what));
  return {};
}

Result<> TableBuilder::index_id(std::string_view id) {
  const auto row = static_cast<std::uint32_t>(storage_->rows.size() - 1);
  const auto same = [this, id](std::uint32_t other) {
    return equal_ignoring_ascii_case(storage_->value(other, storage_->id_column), id);
  };
  const auto twin = storage_->ids.insert(folded_hash(id), row, same);
  if (!twin) return {};
  const std::string_view other = storage_->value(*twin, storage_->id_column);
  const std::string where = storage_->place_of_line(storage_->line(*twin));
  if (other == id) return fail_here(fmt::format("id {} is the id of {} too", quoted(id), where));
  return fail_here(fmt::format(
      "id {} differs only in case from {} of {}; some file systems would take them for one",
      quoted(id), quoted(other), where));
}

char* TableBuilder::allocate(std::size_t size_bytes) {
  using Storage = DeviceTable::Storage;
  if (size_bytes > Storage::kChunkBytes - chunk_used_) {
    // A row that is larger than a chunk gets one of its own; the next row then begins another.
    storage_->chunks.push_back(
        std::make_unique<char[]>(std::max(size_bytes, std::size_t{Storage::kChunkBytes})));
    chunk_used_ = 0;
  }
  char* const at = storage_->chunks.back().get() + chunk_used_;
  chunk_used_ = std::min(chunk_used_ + size_bytes, std::size_t{Storage::kChunkBytes});
  return at;
}

Result<DeviceTable> TableBuilder::finish() && {
  if (storage_->rows.empty()) {
    const std::string at = storage_->array_pointer.value_or("");
    return fail(Code::invalid_input,
                fmt::format("{}:{}{} no devices", printable(storage_->source.native()),
                            at.empty() ? "" : " ", at.empty() ? "" : at + ":"));
  }
  return DeviceTable(std::move(storage_));
}

Unexpected TableBuilder::fail_here(std::string_view reason) const {
  return fail(Code::invalid_input, fmt::format("{}: {}", storage_->place_of_line(line_), reason));
}

}  // namespace imprint::manifest
