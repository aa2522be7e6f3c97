#pragma once

#include <filesystem>
#include <string>

#include "support/temp_dir.hpp"

namespace imprint::test {

/// SoftHSM with tokens of its own in a temporary directory, for this process and those it starts
/// while it lives. One at a time.
class SoftHsm {
 public:
  SoftHsm();
  SoftHsm(const SoftHsm&) = delete;
  SoftHsm& operator=(const SoftHsm&) = delete;
  ~SoftHsm();

  static constexpr const char* kPin = "1234";
  static constexpr const char* kModule = "/usr/lib/softhsm/libsofthsm2.so";

  /// A new token with this label and kPin. Labels may be used twice.
  void make_token(const std::string& label) const;
  /// A PKCS#8 PEM file's key into the token of this label (when several have it, the first).
  void import_key(const std::string& token, const std::filesystem::path& pem,
                  const std::string& label, const std::string& id = "01") const;

 private:
  TempDir dir_;
};

}  // namespace imprint::test

/// Skips the test, visibly, when SoftHSM is not installed.
#define IMPRINT_NEED_SOFTHSM()                                       \
  IMPRINT_NEED_COMMAND("softhsm2-util");                             \
  if (!std::filesystem::exists(::imprint::test::SoftHsm::kModule)) { \
    GTEST_SKIP() << "needs " << ::imprint::test::SoftHsm::kModule;   \
  }                                                                  \
  static_assert(true, "")
