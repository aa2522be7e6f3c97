#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"

namespace imprint::pipeline {

/// Appends a field of RFC 4180, in quotes when it must be.
void append_csv_field(std::string_view text, std::string& to);

/// A CSV file that appears whole when published: RFC 4180, LF line ends, written through a buffer.
class CsvFile {
 public:
  static Result<CsvFile> create(const fs::path& path, unsigned mode);

  /// One field of the current row, quoted when it must be.
  void field(std::string_view text);
  void end_row();
  /// Writes what is buffered, syncs and renames.
  Result<> publish();

 private:
  explicit CsvFile(NewFile file) : file_(std::move(file)) {}

  Result<> flush();

  NewFile file_;
  std::string buffer_;
  std::uint64_t written_ = 0;
  bool row_started_ = false;
  Result<> state_;  // the first write error, reported by publish
};

}  // namespace imprint::pipeline
