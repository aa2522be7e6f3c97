#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "imprint/base/result.hpp"

namespace imprint::manifest {

class DeviceTable;
class BoundTemplate;

/// A text with variables, as the manifest writes it: `{name}` stands for the device's column of
/// that name, `{{` and `}}` for one brace. Immutable plain data.
class Template {
 public:
  /// The empty constant.
  Template() = default;

  /// A brace without its partner, an empty name or a character no name can have is
  /// Code::invalid_input, with the column (in characters, from 1).
  static Result<Template> parse(std::string_view text);

  /// As it was written.
  [[nodiscard]] const std::string& text() const noexcept { return text_; }

  [[nodiscard]] bool is_constant() const noexcept { return variables_.empty(); }

  /// What a template without variables expands to. Only when is_constant().
  [[nodiscard]] const std::string& constant() const noexcept { return tail_; }

  /// Distinct names, in the order of their first appearance. Valid as long as the template is.
  [[nodiscard]] std::vector<std::string_view> variables() const;

  /// Looks a variable's value up; none when there is no such variable.
  using Lookup = std::function<std::optional<std::string_view>(std::string_view name)>;

  /// Appends the expansion to `out`. Values are inserted as they are: braces in them mean nothing.
  /// An unknown or empty variable is Code::invalid_input, and `out` is unchanged.
  Result<> expand(const Lookup& lookup, std::string& out) const;

  /// Ties the variables to the columns of a table, so that expanding a row looks nothing up.
  /// `purpose` says what the text is for and stands in the error for a row whose value is empty
  /// ("output name"). An unknown variable names the nearest column.
  [[nodiscard]] Result<BoundTemplate> bind(const DeviceTable& table, std::string purpose) const;

 private:
  struct Variable {
    std::string literal_before;
    std::string name;
  };

  std::string text_;
  std::vector<Variable> variables_;
  std::string tail_;  ///< the literal after the last variable
};

/// A template tied to the columns of one table. Immutable; expanding is thread-safe.
class BoundTemplate {
 public:
  /// Appends the expansion for a row to `out`. A column that is empty in this row is
  /// Code::invalid_input, named with its place: `devices.csv:17: column 'serial' is empty; output
  /// name '{id}-{serial}.img' needs it`.
  Result<> expand(const DeviceTable& table, std::size_t row, std::string& out) const;

  [[nodiscard]] bool is_constant() const noexcept { return variables_.empty(); }

  /// What it is for, as bind() was told.
  [[nodiscard]] const std::string& purpose() const noexcept { return purpose_; }

  /// Whether two rows with different ids can never expand to the same text, whatever the other
  /// columns hold.
  [[nodiscard]] bool distinct_by_id() const noexcept { return distinct_by_id_; }

 private:
  friend class Template;

  struct Variable {
    std::string literal_before;
    std::size_t column = 0;
  };

  std::string purpose_;
  std::vector<Variable> variables_;
  std::string tail_;
  bool distinct_by_id_ = false;
};

}  // namespace imprint::manifest
