#pragma once

#include <ostream>
#include <string>

#include <gmock/gmock.h>

#include "imprint/base/result.hpp"

namespace imprint {

/// How a failed expectation shows an Error.
void PrintTo(const Error& error, std::ostream* out);

}  // namespace imprint

namespace imprint::test {

/// A Result with a value. A failure is shown as its message.
class IsOkMatcher {
 public:
  using is_gtest_matcher = void;

  template <class T>
  bool MatchAndExplain(const Result<T>& result, std::ostream* explain) const {
    if (result.has_value()) return true;
    if (explain != nullptr) *explain << "which failed: " << result.error().message();
    return false;
  }

  void DescribeTo(std::ostream* out) const { *out << "succeeds"; }

  void DescribeNegationTo(std::ostream* out) const { *out << "fails"; }
};

/// A failure of this kind whose message contains a text.
class FailsWithMatcher {
 public:
  using is_gtest_matcher = void;

  FailsWithMatcher(Code code, std::string part) : code_(code), part_(std::move(part)) {}

  template <class T>
  bool MatchAndExplain(const Result<T>& result, std::ostream* explain) const {
    if (result.has_value()) {
      if (explain != nullptr) *explain << "which succeeded";
      return false;
    }
    return matches(result.error(), explain);
  }

  void DescribeTo(std::ostream* out) const;
  void DescribeNegationTo(std::ostream* out) const;

 private:
  bool matches(const Error& error, std::ostream* explain) const;

  Code code_;
  std::string part_;
};

[[nodiscard]] inline IsOkMatcher IsOk() {
  return {};
}

/// `part` must occur in the one-line message.
[[nodiscard]] inline FailsWithMatcher FailsWith(Code code, std::string part = {}) {
  return {code, std::move(part)};
}

}  // namespace imprint::test
