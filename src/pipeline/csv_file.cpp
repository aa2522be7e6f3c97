#include "csv_file.hpp"

#include "imprint/base/bytes.hpp"

namespace imprint::pipeline {

namespace {

constexpr std::size_t kFlushBytes = std::size_t{1} << 20;

}  // namespace

void append_csv_field(std::string_view text, std::string& to) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) {
    to += text;
    return;
  }
  to += '"';
  for (const char c : text) {
    if (c == '"') to += '"';
    to += c;
  }
  to += '"';
}

Result<CsvFile> CsvFile::create(const fs::path& path, unsigned mode) {
  return CsvFile(IMPRINT_TRY(NewFile::beside(path, mode)));
}

void CsvFile::field(std::string_view text) {
  if (row_started_) buffer_ += ',';
  row_started_ = true;
  append_csv_field(text, buffer_);
}

void CsvFile::end_row() {
  buffer_ += '\n';
  row_started_ = false;
  if (buffer_.size() >= kFlushBytes && state_) state_ = flush();
}

Result<> CsvFile::flush() {
  IMPRINT_TRY(file_.file().write_all(written_, bytes_of(buffer_)));
  written_ += buffer_.size();
  buffer_.clear();
  return {};
}

Result<> CsvFile::publish() {
  if (state_) state_ = flush();
  if (!state_) return fail(state_.error());
  return file_.publish();
}

}  // namespace imprint::pipeline
