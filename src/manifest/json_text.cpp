#include "json_text.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "imprint/base/text.hpp"

namespace imprint::manifest {
namespace {

using Json = nlohmann::ordered_json;

/// Characters of a text that tell how far the parser has read: nlohmann gives positions with errors
/// only.
class TrackedChar {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  TrackedChar(const char* at, const char** furthest) : at_(at), furthest_(furthest) {}

  reference operator*() const noexcept { return *at_; }

  TrackedChar& operator++() noexcept {
    *furthest_ = ++at_;
    return *this;
  }

  TrackedChar operator++(int) noexcept {
    const TrackedChar before = *this;
    ++*this;
    return before;
  }

  friend bool operator==(const TrackedChar& a, const TrackedChar& b) noexcept {
    return a.at_ == b.at_;
  }

 private:
  const char* at_;
  const char** furthest_;
};

/// Makes the document from the parser's events. nlohmann's own maker silently keeps one of two
/// equal keys.
class DocumentMaker {
 public:
  DocumentMaker(std::string_view text, const char* const* furthest)
      : text_(text),
        furthest_(furthest) {}

  bool null() { return add(nullptr); }

  bool boolean(bool value) { return add(value); }

  bool number_integer(std::int64_t value) { return add(value); }

  bool number_unsigned(std::uint64_t value) { return add(value); }

  bool number_float(double value, const std::string& text) {
    // A device's number is a text that happens to be written without quotes: `0.10` stays `0.10`.
    const bool of_device = open_.size() == 3 && top_key_ == "devices";
    return of_device ? add(text) : add(value);
  }

  bool string(std::string& value) { return add(std::move(value)); }

  bool binary(Json::binary_t& /*value*/) { return false; }

  bool start_object(std::size_t /*size*/) { return open(Json::object()); }

  bool start_array(std::size_t /*size*/) { return open(Json::array()); }

  bool end_object() { return close(); }

  bool end_array() { return close(); }

  bool key(std::string& key) {
    if (open_.back()->contains(key)) {
      return stop(position(), fmt::format("key {} appears twice in one object", quoted(key)));
    }
    if (open_.size() == 1) top_key_ = key;
    key_ = std::move(key);
    return true;
  }

  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const nlohmann::detail::exception& reason) {
    return stop(position, "not valid JSON: " + json_reason(reason.what()));
  }

  Json document;
  std::optional<Error> error;

 private:
  static constexpr std::size_t kMaxDepth = 64;

  Json* place(Json value) {
    if (open_.empty()) {
      document = std::move(value);
      return &document;
    }
    Json& parent = *open_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return &parent.back();
    }
    return &(parent[key_] = std::move(value));
  }

  template <class T>
  bool add(T&& value) {
    place(Json(std::forward<T>(value)));
    return true;
  }

  bool open(Json container) {
    if (open_.size() == kMaxDepth) {
      return stop(position(), fmt::format("nested more than {} levels deep", kMaxDepth));
    }
    // Only the innermost open container grows, so the pointers to the others stay good.
    open_.push_back(place(std::move(container)));
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  [[nodiscard]] std::size_t position() const noexcept {
    return static_cast<std::size_t>(*furthest_ - text_.data());
  }

  bool stop(std::size_t offset, const std::string& reason) {
    if (!error)
      error.emplace(Code::invalid_input, fmt::format("{}: {}", json_place(text_, offset), reason));
    return false;
  }

  std::string_view text_;
  const char* const* furthest_;
  std::vector<Json*> open_;
  std::string key_;
  std::string top_key_;  ///< key of the outermost object at hand
};

}  // namespace

std::string json_reason(std::string_view exception_text) {
  constexpr std::string_view kSyntax = "syntax error ";
  constexpr std::string_view kLastRead = "; last read: '";
  const std::size_t syntax = exception_text.find(kSyntax);
  const std::size_t bracket = exception_text.find("] ");
  if (syntax != std::string_view::npos) {
    exception_text.remove_prefix(syntax + kSyntax.size());
  } else if (bracket != std::string_view::npos) {
    exception_text.remove_prefix(bracket + 2);
  }
  std::string reason(exception_text);
  const std::size_t last_read = reason.find(kLastRead);
  if (last_read != std::string::npos) {
    const std::size_t expected = reason.rfind("'; expected ");
    const std::size_t end =
        expected == std::string::npos || expected < last_read ? reason.size() : expected + 1;
    reason.erase(last_read, end - last_read);
  }
  return reason;
}

std::string json_place(std::string_view text, std::size_t position) {
  const TextPosition at =
      position_of(text, std::min(position == 0 ? 0 : position - 1, text.size()));
  return fmt::format("line {}, column {}", at.line, at.column);
}

std::string pointer_token(std::string_view key) {
  std::string token;
  for (const char c : key) {
    if (c == '~') {
      token += "~0";
    } else if (c == '/') {
      token += "~1";
    } else {
      token += c;
    }
  }
  return token;
}

Result<nlohmann::ordered_json> parse_json(std::string_view text) {
  const char* furthest = text.data();
  DocumentMaker maker(text, &furthest);
  const TrackedChar begin(text.data(), &furthest);
  const TrackedChar end(text.data() + text.size(), &furthest);
  const bool complete = Json::sax_parse(begin, end, &maker);
  if (maker.error) return fail(*std::move(maker.error));
  if (!complete) return fail(Code::internal, "the JSON parser stopped without a reason");
  return std::move(maker.document);
}

}  // namespace imprint::manifest
