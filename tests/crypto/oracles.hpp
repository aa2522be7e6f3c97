#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "imprint/crypto/certificate.hpp"
#include "imprint/crypto/mint.hpp"
#include "support/command.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace imprint::crypto::test {

using imprint::test::CommandResult;
using imprint::test::FailsWith;
using imprint::test::IsOk;
using imprint::test::run_command;
using imprint::test::TempDir;

/// 2026-11-20T12:00:00Z: after it every test certificate starts.
inline constexpr TimePoint kNow{std::chrono::seconds{1795176000}};
inline constexpr std::chrono::hours kDay{24};

/// The PEM of a key or text as a string, for files that other tools read.
[[nodiscard]] std::string text(const SecretBytes& secret);

struct TestCa {
  PrivateKey key;
  Certificate certificate;
  std::unique_ptr<Signer> signer;
};

/// A root made by make_ca_certificate, valid for 20 years.
[[nodiscard]] TestCa make_ca(KeyKind kind, TimePoint not_before = kNow);

/// For judges that know no other time than the machine's (certtool 3.7).
[[nodiscard]] inline TimePoint an_hour_ago() {
  return system_clock().now() - std::chrono::hours(1);
}

/// CN and a DNS name per device, three constants, ten years: for tests to which the profile does
/// not matter.
[[nodiscard]] ProfileSpec plain_spec(KeyKind kind = KeyKind::ec_p256, TimePoint not_before = kNow);

/// `openssl ARGS` has to succeed; returns its standard output.
std::string openssl(std::vector<std::string> arguments, std::string_view input = {});

}  // namespace imprint::crypto::test
