#include "support/matchers.hpp"

namespace imprint {

void PrintTo(const Error& error, std::ostream* out) {
  *out << name(error.code) << ": " << error.message();
}

namespace test {

void FailsWithMatcher::DescribeTo(std::ostream* out) const {
  *out << "fails with " << name(code_);
  if (!part_.empty()) *out << " and a message that contains \"" << part_ << '"';
}

void FailsWithMatcher::DescribeNegationTo(std::ostream* out) const {
  *out << "does not ";
  DescribeTo(out);
}

bool FailsWithMatcher::matches(const Error& error, std::ostream* explain) const {
  const std::string message = error.message();
  if (explain != nullptr) *explain << "which failed with " << name(error.code) << ": " << message;
  const bool one_line = message.find('\n') == std::string::npos;
  return error.code == code_ && one_line && message.find(part_) != std::string::npos;
}

}  // namespace test
}  // namespace imprint
