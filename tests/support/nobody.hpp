#pragma once

#include <cstdlib>
#include <unistd.h>

namespace imprint::test {

/// Some other user, as far as file permissions go; root again at the end.
class ScopedNobody {
 public:
  ScopedNobody() : worked_(::seteuid(65534) == 0) {}

  ScopedNobody(const ScopedNobody&) = delete;
  ScopedNobody& operator=(const ScopedNobody&) = delete;

  ~ScopedNobody() {
    if (worked_ && ::seteuid(before_) != 0) std::abort();
  }

  [[nodiscard]] bool worked() const noexcept { return worked_; }

 private:
  uid_t before_ = ::geteuid();  // first: nobody may run the tests, too
  bool worked_;
};

}  // namespace imprint::test
