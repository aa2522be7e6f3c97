#include <charconv>

#include <fmt/format.h>

#include "identity_reader.hpp"
#include "imprint/base/text.hpp"
#include "json_members.hpp"

namespace imprint::manifest {
namespace {

/// `-10m`, of which the schema has seen the form: how long before now. None where that is more
/// than ten years, which nobody means.
std::optional<std::chrono::seconds> backdating(std::string_view text) {
  std::uint32_t count = 0;
  std::from_chars(text.data() + 1, text.data() + text.size() - 1, count);
  std::chrono::seconds unit{1};
  switch (text.back()) {
    case 'm':
      unit = std::chrono::minutes(1);
      break;
    case 'h':
      unit = std::chrono::hours(1);
      break;
    case 'd':
      unit = std::chrono::hours(24);
      break;
    default:
      break;
  }
  constexpr std::chrono::hours kMost{24 * 3650};
  const std::chrono::seconds total = unit * static_cast<std::int64_t>(count);
  return total <= kMost ? std::optional(total) : std::nullopt;
}

/// A day is meant whole: from its first second, until its last.
Result<TimePoint> moment(const std::string& text, const char* pointer, bool is_end) {
  if (const auto day = from_date(text))
    return is_end ? *day + std::chrono::hours(24) - std::chrono::seconds(1) : *day;
  if (const auto time = from_rfc3339(text)) return *time;
  if (const auto time = from_generalized_time(text)) return *time;
  return fail(Code::invalid_input,
              fmt::format("{}: {} is no time that a calendar has; write it like 2035-12-31, "
                          "2035-12-31T23:59:59Z or 20351231235959Z",
                          pointer, quoted(text)));
}

Result<> read_start(const std::string& text, authority::ValiditySpec& validity) {
  constexpr const char* kPointer = "/identity/not_before";
  if (!text.starts_with('-')) {
    validity.not_before = IMPRINT_TRY(moment(text, kPointer, false));
    return {};
  }
  const auto before = backdating(text);
  if (!before) {
    return fail(Code::invalid_input,
                fmt::format("{}: {} is more than ten years ago", kPointer, quoted(text)));
  }
  validity.not_before = *before;
  return {};
}

[[nodiscard]] authority::OutlivesCa outlives_ca_of(std::string_view text) {
  using authority::OutlivesCa;
  for (const OutlivesCa policy : {OutlivesCa::truncate, OutlivesCa::permit}) {
    if (word(policy) == text) return policy;
  }
  return OutlivesCa::error;
}

}  // namespace

Result<> read_validity(const Json& object, IdentitySpec& identity) {
  authority::ValiditySpec& validity = identity.validity;
  const Json* const days = member(object, "days");
  const Json* const not_after = member(object, "not_after");
  // What a profile permits goes with the end that it chose itself.
  if (days != nullptr || not_after != nullptr) validity.outlives_ca = authority::OutlivesCa::error;
  if (days != nullptr) validity.not_after = days->get<std::uint32_t>();
  if (not_after != nullptr) {
    validity.not_after =
        IMPRINT_TRY(moment(not_after->get<std::string>(), "/identity/not_after", true));
  }
  if (const Json* const not_before = member(object, "not_before"))
    IMPRINT_TRY(read_start(not_before->get<std::string>(), validity));
  if (const Json* const policy = member(object, "outlives_ca"))
    validity.outlives_ca = outlives_ca_of(policy->get<std::string>());
  return {};
}

}  // namespace imprint::manifest
