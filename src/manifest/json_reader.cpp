// Device tables from JSON. The parser's events go straight into the table: no document of a million
// objects is ever built. Numbers are inserted as they were written ("0.10" stays "0.10"), which
// only the events for non-integers carry; integers have one way to be written, so printing them
// again gives the same digits.

#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "imprint/base/text.hpp"
#include "json_text.hpp"
#include "readers.hpp"
#include "table_builder.hpp"

namespace imprint::manifest {
namespace {

using Json = nlohmann::json;

/// Events of one device object, or of an array of them.
class DeviceEvents {
 public:
  enum class Root { object, array };

  DeviceEvents(TableBuilder& builder, Root root) : builder_(builder), root_(root) {}

  /// For `root` object: the line the next object stands on.
  void next_line(std::size_t line) { row_ = line; }

  bool null() { return value({}); }

  bool boolean(bool value_) { return value(value_ ? "true" : "false"); }

  bool number_integer(Json::number_integer_t number) { return value(fmt::to_string(number)); }

  bool number_unsigned(Json::number_unsigned_t number) { return value(fmt::to_string(number)); }

  bool number_float(Json::number_float_t /*number*/, const std::string& text) {
    return value(text);
  }

  bool string(std::string& text) { return value(text); }

  bool binary(Json::binary_t& /*bytes*/) { return false; }

  bool start_object(std::size_t /*size*/) {
    if (in_object_) return unsuitable("an object");
    if (root_ == Root::array && !in_array_) return no_array();
    in_object_ = true;
    builder_.begin_row(row_);
    return true;
  }

  bool key(std::string& name) {
    key_ = name;
    return true;
  }

  bool end_object() {
    in_object_ = false;
    ++row_;
    return keep(builder_.end_row());
  }

  bool start_array(std::size_t /*size*/) {
    if (in_object_) return unsuitable("an array");
    if (root_ == Root::object || in_array_) return not_a_device();
    in_array_ = true;
    return true;
  }

  bool end_array() { return true; }

  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const nlohmann::detail::exception& reason) {
    error_position = position;
    return keep(fail(Code::invalid_input, "not valid JSON: " + json_reason(reason.what())));
  }

  std::optional<Error> error;
  std::optional<std::size_t> error_position;  ///< set when the text is no JSON

 private:
  bool value(std::string_view text) {
    if (!in_object_) return not_a_device();
    return keep(builder_.set(key_, text));
  }

  bool not_a_device() {
    if (root_ == Root::array && !in_array_) return no_array();
    builder_.begin_row(row_);
    return keep(builder_.fail_here("a device is an object: {\"id\": \"...\"}"));
  }

  bool unsuitable(std::string_view what) {
    return keep(builder_.fail_here(fmt::format(
        "the value of {} is {}; text, a number, true or false is expected", quoted(key_), what)));
  }

  bool keep(Result<> result) {
    if (result) return true;
    error = std::move(result).error();
    return false;
  }

  bool no_array() {
    const std::string name = printable(builder_.source().native());
    return keep(fail(Code::invalid_input, name + ": an array of devices is expected"));
  }

  TableBuilder& builder_;
  Root root_;
  std::size_t row_ = 0;
  bool in_array_ = false;
  bool in_object_ = false;
  std::string key_;
};

[[nodiscard]] std::string_view without_byte_order_mark(std::string_view text) noexcept {
  return text.starts_with("\xef\xbb\xbf") ? text.substr(3) : text;
}

/// JSON Lines, in parts that need not end where lines end.
class JsonLines {
 public:
  explicit JsonLines(const fs::path& shown_as)
      : shown_as_(printable(shown_as.native())),
        builder_(shown_as),
        events_(builder_, DeviceEvents::Root::object) {}

  Result<> feed(std::string_view part) {
    for (std::size_t end = part.find('\n'); end != std::string_view::npos; end = part.find('\n')) {
      const std::string_view rest = part.substr(0, end);
      if (unfinished_.empty()) {
        IMPRINT_TRY(take(rest));
      } else {
        unfinished_ += rest;
        IMPRINT_TRY(take(unfinished_));
        unfinished_.clear();
      }
      part.remove_prefix(end + 1);
    }
    unfinished_ += part;
    if (unfinished_.size() > kMaxLineBytes) {
      return fail(Code::invalid_input, fmt::format("{}:{}: a line of more than {} bytes", shown_as_,
                                                   line_, kMaxLineBytes));
    }
    return {};
  }

  Result<DeviceTable> finish() && {
    IMPRINT_TRY(take(unfinished_));
    return std::move(builder_).finish();
  }

 private:
  static constexpr std::size_t kMaxLineBytes = std::size_t{16} << 20;

  Result<> take(std::string_view line) {
    if (line_ == 1) line = without_byte_order_mark(line);
    const std::size_t number = line_++;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) return {};
    events_.next_line(number);
    if (Json::sax_parse(line.begin(), line.end(), &events_)) return {};
    if (!events_.error_position) return fail(*std::move(events_.error));
    return fail(Code::invalid_input, fmt::format("{}:{}: column {}: {}", shown_as_, number,
                                                 std::max<std::size_t>(*events_.error_position, 1),
                                                 events_.error->what));
  }

  std::string shown_as_;
  TableBuilder builder_;
  DeviceEvents events_;
  std::string unfinished_;
  std::size_t line_ = 1;
};

[[nodiscard]] std::string scalar_text(const nlohmann::ordered_json& value) {
  if (value.is_null()) return {};
  if (value.is_string()) return value.get<std::string>();
  return value.dump();
}

}  // namespace

Result<DeviceTable> read_json_lines(const fs::path& file, const fs::path& shown_as) {
  JsonLines lines(shown_as);
  IMPRINT_TRY(for_each_part(file, [&lines](std::string_view part) { return lines.feed(part); }));
  return std::move(lines).finish();
}

Result<DeviceTable> parse_json_lines_devices(std::string_view text, const fs::path& shown_as) {
  JsonLines lines(shown_as);
  IMPRINT_TRY(lines.feed(text));
  return std::move(lines).finish();
}

Result<DeviceTable> read_json_array(const fs::path& file, const fs::path& shown_as) {
  const Bytes bytes = IMPRINT_TRY(read_file(file));
  return parse_json_devices(text_of(bytes), shown_as);
}

Result<DeviceTable> parse_json_devices(std::string_view text, const fs::path& shown_as) {
  text = without_byte_order_mark(text);
  TableBuilder builder(shown_as, "");
  DeviceEvents events(builder, DeviceEvents::Root::array);
  if (Json::sax_parse(text.begin(), text.end(), &events)) return std::move(builder).finish();
  const std::string name = printable(shown_as.native());
  if (events.error_position) {
    return fail(Code::invalid_input,
                fmt::format("{}: {}: {}", name, json_place(text, *events.error_position),
                            events.error->what));
  }
  return fail(*std::move(events.error));
}

Result<DeviceTable> inline_devices(const nlohmann::ordered_json& array, const fs::path& shown_as) {
  TableBuilder builder(shown_as, "/devices");
  std::size_t row = 0;
  for (const auto& device : array) {
    builder.begin_row(row++);
    if (!device.is_object()) return builder.fail_here("a device is an object: {\"id\": \"...\"}");
    for (const auto& [key, value] : device.items()) {
      if (value.is_structured()) {
        return builder.fail_here(
            fmt::format("the value of {} is {}; text, a number, true or false is expected",
                        quoted(key), value.is_array() ? "an array" : "an object"));
      }
      IMPRINT_TRY(builder.set(key, scalar_text(value)));
    }
    IMPRINT_TRY(builder.end_row());
  }
  return std::move(builder).finish();
}

}  // namespace imprint::manifest
