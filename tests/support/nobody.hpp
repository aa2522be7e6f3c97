#pragma once

#include <cstdlib>
#include <unistd.h>

namespace imprint::test {

/// Some other user while it lives, as far as file permissions go; root again at the end. Who is not
/// root stays who he is, and is refused as well what a mode forbids its owner.
class ScopedNobody {
 public:
  ScopedNobody() : worked_(::seteuid(65534) == 0) {}

  ScopedNobody(const ScopedNobody&) = delete;
  ScopedNobody& operator=(const ScopedNobody&) = delete;

  ~ScopedNobody() {
    if (worked_ && ::seteuid(before_) != 0) std::abort();
  }

  /// Whether root's rights are gone; where they cannot be given up, there is nothing to test.
  [[nodiscard]] static bool works() noexcept { return ::geteuid() != 0; }

 private:
  uid_t before_ = ::geteuid();  // first: nobody may run the tests, too
  bool worked_;
};

}  // namespace imprint::test
