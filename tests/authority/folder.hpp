#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "imprint/authority/authority.hpp"
#include "imprint/base/text.hpp"
#include "support/command.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace imprint::authority::test {

using imprint::test::FailsWith;
using imprint::test::IsOk;
using imprint::test::run_command;
using imprint::test::TempDir;

inline constexpr std::chrono::hours kDay{24};

/// `openssl ARGS` has to succeed; returns its standard output.
std::string openssl(std::vector<std::string> arguments, std::string_view input = {});

/// Sets an environment variable, or removes it when there is no value. The tests of one program run
/// one after another.
void set_environment(const char* name, const char* value);

/// A CA folder as a user's openssl commands leave it: `ca.pem` and `ca.key` (0600).
class CaFolder {
 public:
  /// The key by `openssl genpkey GENERATE`, the certificate self-signed for 365 days with this
  /// extension section (`basicConstraints=...` lines; empty gives a v1 certificate) and these
  /// further arguments of `openssl req`.
  explicit CaFolder(const std::string& extensions = kGoodExtensions,
                    const std::vector<std::string>& generate = kP256,
                    const std::vector<std::string>& more = {});

  static const std::string kGoodExtensions;
  static const std::vector<std::string> kP256;

  [[nodiscard]] AuthoritySource files() const {
    return {.certificate = certificate(), .key = KeyFile{key()}, .passphrase = std::nullopt};
  }

  [[nodiscard]] std::filesystem::path certificate() const { return dir_ / "ca.pem"; }

  [[nodiscard]] std::filesystem::path key() const { return dir_ / "ca.key"; }

  [[nodiscard]] const TempDir& dir() const noexcept { return dir_; }

  /// Replaces the key file, keeping its mode 0600.
  void write_key(std::string_view content) const;

 private:
  TempDir dir_;
};

/// The real time: the certificates of CaFolder start now.
[[nodiscard]] inline TimePoint now() {
  return system_clock().now() + std::chrono::minutes(1);
}

[[nodiscard]] Result<Authority> open(const CaFolder& folder);

}  // namespace imprint::authority::test
