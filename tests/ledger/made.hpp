#pragma once

#include <array>
#include <cstdint>
#include <string>

#include <fmt/format.h>

#include "imprint/ledger/ledger.hpp"

namespace imprint::ledger::test {

inline constexpr TimePoint kNow = TimePoint(std::chrono::seconds(1'795'203'963));

/// `size` bytes that depend on `number` and on `salt` and spread as digests do (splitmix64).
template <std::size_t Size>
std::array<std::byte, Size> scattered(std::uint64_t number, std::uint64_t salt) {
  std::array<std::byte, Size> bytes = {};
  std::uint64_t state = number * 0x9e3779b97f4a7c15U + salt * 0xd1b54a32d192ed03U;
  for (std::size_t i = 0; i < Size; ++i) {
    if (i % 8 == 0) {
      state += 0x9e3779b97f4a7c15U;
    }
    std::uint64_t mixed = state;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebU;
    mixed ^= mixed >> 31;
    bytes[i] = static_cast<std::byte>(mixed >> (8 * (i % 8)));
  }
  return bytes;
}

/// The certificate that device `number` would get: everything that an Issued looks at.
struct Made {
  explicit Made(std::uint64_t number)
      : device_id(fmt::format("dev-{:06}", number)),
        subject(fmt::format("CN=dev-{:06}.devices.example.com", number)),
        serial(scattered<16>(number, 1)),
        certificate(scattered<32>(number, 2)),
        public_key(scattered<32>(number, 3)),
        certificate_der(scattered<700>(number, 5)),
        public_key_der(scattered<91>(number, 4)),
        identity_data(fmt::format(R"({{"sn":"SN-{}"}})", number)) {
    serial[0] = (serial[0] & std::byte{0x3f}) | std::byte{0x40};
  }

  [[nodiscard]] Issued issued() const {
    return {.device_id = device_id,
            .subject = subject,
            .serial = serial,
            .certificate_sha256 = certificate,
            .public_key_sha256 = public_key,
            .not_before = kNow,
            .not_after = kNow + std::chrono::days(3650),
            .key_kind = "ec:P-256",
            .at = kNow,
            .certificate = certificate_der,
            .public_key = public_key_der,
            .identity_data = identity_data,
            .purpose = Purpose::device};
  }

  std::string device_id;
  std::string subject;
  std::array<std::byte, 16> serial;
  std::array<std::byte, 32> certificate;
  std::array<std::byte, 32> public_key;
  std::array<std::byte, 700> certificate_der;
  std::array<std::byte, 91> public_key_der;
  std::string identity_data;
};

inline RunInfo run_info() {
  return {.tool_version = "0.1.0",
          .command = "batch",
          .manifest_sha256 = {},
          .authority_sha256 = {},
          .authority_key_sha256 = {},
          .at = kNow};
}

inline Outcome placed(std::int64_t row) {
  return {.certificate_row = row,
          .state = State::placed,
          .file = "overlays.db",
          .digest = {},
          .reason = {},
          .at = kNow};
}

}  // namespace imprint::ledger::test
