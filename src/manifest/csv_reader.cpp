// CSV by libcsv in strict mode: RFC 4180, as spreadsheets write it.
//
// libcsv tells fields and row ends, but not where they stand, and messages need the line. With
// CSV_REPALL_NL it reports every line break outside quotes, those of empty lines too; those inside
// quotes are part of a field's text and counted there. So the line is exact without a second look
// at the bytes. CRLF comes as two line breaks, of which the first counts.

#include <algorithm>
#include <memory>
#include <optional>

#include <csv.h>
#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "readers.hpp"
#include "table_builder.hpp"

namespace imprint::manifest {
namespace {

[[nodiscard]] std::size_t count_line_feeds(std::string_view text) noexcept {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

class CsvReader {
 public:
  static Result<std::unique_ptr<CsvReader>> create(const fs::path& shown_as) {
    auto reader = std::unique_ptr<CsvReader>(new CsvReader(shown_as));
    if (csv_init(&reader->parser_, CSV_STRICT | CSV_STRICT_FINI | CSV_REPALL_NL) != 0) {
      return fail(Code::internal, "csv_init failed");
    }
    // RFC 4180: "Spaces are considered part of a field"; libcsv would strip them.
    csv_set_space_func(&reader->parser_, [](unsigned char) { return 0; });
    return reader;
  }

  CsvReader(const CsvReader&) = delete;
  CsvReader& operator=(const CsvReader&) = delete;

  ~CsvReader() { csv_free(&parser_); }

  Result<> feed(std::string_view part) {
    if (at_start_) IMPRINT_TRY(skip_byte_order_mark(part));
    const std::size_t parsed =
        csv_parse(&parser_, part.data(), part.size(), on_field, on_row_end, this);
    IMPRINT_TRY(first_failure());
    if (parsed != part.size()) return syntax_error(part.substr(0, parsed));
    fed_line_feeds_ += count_line_feeds(part);
    return {};
  }

  Result<DeviceTable> finish() && {
    const bool complete = csv_fini(&parser_, on_field, on_row_end, this) == 0;
    IMPRINT_TRY(first_failure());
    if (!complete) return builder_.fail_here("a quote is opened in this row and never closed");
    if (!has_header_)
      return fail(Code::invalid_input, fmt::format("{}: empty; a header row is needed", shown_as_));
    return std::move(builder_).finish();
  }

 private:
  explicit CsvReader(const fs::path& shown_as)
      : shown_as_(printable(shown_as.native())),
        builder_(shown_as) {
    builder_.begin_row(line_);
  }

  // The callbacks go through C code, which no exception may cross: bad_alloc ends the process here.
  static void on_field(void* text, std::size_t size, void* self) noexcept {
    static_cast<CsvReader*>(self)->take_field({static_cast<const char*>(text), size});
  }

  static void on_row_end(int terminator, void* self) noexcept {
    static_cast<CsvReader*>(self)->take_line_break(terminator);
  }

  void take_field(std::string_view text) {
    line_ += count_line_feeds(text);
    const std::size_t column = fields_++;
    if (failure_) return;
    if (!has_header_) {
      note(builder_.add_column(text));
    } else if (column < builder_.column_count()) {
      note(builder_.set(column, text));
    }
  }

  void take_line_break(int terminator) {
    if (fields_ > 0 && !failure_) end_row();
    fields_ = 0;
    const bool second_of_crlf = terminator == '\n' && after_carriage_return_;
    if (!second_of_crlf) ++line_;
    after_carriage_return_ = terminator == '\r';
    if (!failure_) builder_.begin_row(line_);
  }

  void end_row() {
    if (!has_header_) {
      has_header_ = true;
      check_header();
    } else if (fields_ != builder_.column_count()) {
      note(builder_.fail_here(fmt::format("{} field{}, but the header has {} columns", fields_,
                                          fields_ == 1 ? "" : "s", builder_.column_count())));
    } else {
      note(builder_.end_row());
    }
  }

  void check_header() {
    if (builder_.column("id")) return;
    const std::vector<std::string_view> columns(builder_.columns().begin(),
                                                builder_.columns().end());
    std::string hint;
    if (columns.size() == 1 && columns[0].find_first_of(";\t") != std::string_view::npos) {
      hint = "; columns are separated by commas";
    } else if (const auto meant = nearest("id", columns);
               meant && equal_ignoring_ascii_case(*meant, "id")) {
      hint = fmt::format("; rename {} to 'id'", quoted(*meant));
    }
    note(builder_.fail_here("the header has no column 'id'" + hint));
  }

  Result<> skip_byte_order_mark(std::string_view& part) {
    at_start_ = false;
    if (part.starts_with("\xef\xbb\xbf")) part.remove_prefix(3);
    if (part.starts_with("\xff\xfe") || part.starts_with("\xfe\xff")) {
      return fail(Code::invalid_input,
                  fmt::format("{}: UTF-16; save the file as 'CSV UTF-8'", shown_as_));
    }
    return {};
  }

  [[nodiscard]] Unexpected syntax_error(std::string_view parsed) {
    if (csv_error(&parser_) != CSV_EPARSE) {
      return fail(Code::internal,
                  fmt::format("{}: {}", shown_as_, csv_strerror(csv_error(&parser_))));
    }
    const std::size_t line = 1 + fed_line_feeds_ + count_line_feeds(parsed);
    const std::size_t line_feed = parsed.rfind('\n');
    const std::string column =
        line_feed == std::string_view::npos && fed_line_feeds_ > 0
            ? ""  // the line began in an earlier part
            : fmt::format(
                  " column {}:",
                  parsed.size() - (line_feed == std::string_view::npos ? 0 : line_feed + 1) + 1);
    return fail(Code::invalid_input, fmt::format("{}:{}:{} a quote in the wrong place; put the "
                                                 "whole field in quotes and write \"\" for one",
                                                 shown_as_, line, column));
  }

  template <class T>
  void note(Result<T> result) {
    if (!result && !failure_) failure_ = std::move(result).error();
  }

  void note(Unexpected failure) { note(Result<>(std::move(failure))); }

  Result<> first_failure() {
    if (failure_) return fail(*std::move(failure_));
    return {};
  }

  csv_parser parser_{};
  std::string shown_as_;
  TableBuilder builder_;
  std::optional<Error> failure_;
  bool at_start_ = true;
  bool has_header_ = false;
  bool after_carriage_return_ = false;
  std::size_t line_ = 1;
  std::size_t fields_ = 0;          ///< of the row at hand
  std::size_t fed_line_feeds_ = 0;  ///< in the parts before this one
};

}  // namespace

Result<DeviceTable> read_csv(const fs::path& file, const fs::path& shown_as) {
  auto reader = IMPRINT_TRY(CsvReader::create(shown_as));
  IMPRINT_TRY(for_each_part(file, [&reader](std::string_view part) { return reader->feed(part); }));
  return std::move(*reader).finish();
}

Result<DeviceTable> parse_csv_devices(std::string_view text, const fs::path& shown_as) {
  auto reader = IMPRINT_TRY(CsvReader::create(shown_as));
  if (!text.empty()) IMPRINT_TRY(reader->feed(text));
  return std::move(*reader).finish();
}

}  // namespace imprint::manifest
