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
  checks_.push_back({.name = check, .outcome = outcome, .detail = printable(detail)});
}

}  // namespace imprint::verify
