#include "findings.hpp"

#include "imprint/base/text.hpp"

namespace imprint::verify {

bool ImageVerdict::passed() const noexcept {
  const auto has = [this](Outcome outcome) {
    return std::ranges::any_of(checks,
                               [outcome](const Check& check) { return check.outcome == outcome; });
  };
  return has(Outcome::passed) && !has(Outcome::failed);
}

void Findings::add(std::string_view check, Outcome outcome, std::string detail) {
  detail = printable(detail);
  // Two roots may lead to one file.
  const bool is_known = std::ranges::any_of(checks_, [&](const Check& known) {
    return known.name == check && known.outcome == outcome && known.detail == detail;
  });
  if (is_known) return;
  checks_.push_back({.name = check, .outcome = outcome, .detail = std::move(detail)});
}

}  // namespace imprint::verify
