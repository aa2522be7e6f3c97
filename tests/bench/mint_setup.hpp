#pragma once

#include <array>
#include <memory>
#include <string_view>
#include <utility>

#include "imprint/crypto/mint.hpp"
#include "rounds.hpp"

namespace imprint::bench {

/// A CA for as long as the program runs.
struct Ca {
  crypto::PrivateKey key;
  crypto::Certificate certificate;

  static Ca make(crypto::KeyKind kind) {
    const TimePoint now = system_clock().now();
    auto key = must(crypto::PrivateKey::generate(kind));
    const crypto::CaSpec spec{.subject = {{crypto::NameField::common_name, "Bench CA"}},
                              .not_before = now - std::chrono::hours(1),
                              .not_after = now + std::chrono::hours(24 * 365 * 20),
                              .path_length = std::nullopt};
    auto certificate = must(crypto::make_ca_certificate(spec, key));
    return {std::move(key), std::move(certificate)};
  }
};

/// Seven attributes and a SAN, as in the README's manifest.
inline std::shared_ptr<const crypto::Profile> make_profile(crypto::KeyKind device,
                                                           const crypto::Certificate& ca,
                                                           crypto::SignatureAlgorithm algorithm) {
  using crypto::NameField;
  crypto::ProfileSpec spec;
  spec.key = device;
  spec.subject = {{NameField::common_name, std::nullopt},
                  {NameField::organization, "My Organization"},
                  {NameField::organizational_unit, "My Unit"},
                  {NameField::email_address, "ops@example.com"},
                  {NameField::country, "NO"},
                  {NameField::locality, "Oslo"},
                  {NameField::state, "Oslo"}};
  spec.alt_names = {{crypto::AltNameKind::dns, std::nullopt}};
  spec.not_before = system_clock().now();
  spec.not_after = spec.not_before + std::chrono::hours(24 * 365 * 10);
  return must(crypto::Profile::compile(spec, ca, algorithm));
}

/// Mints with a minter of its own, a thread each.
inline std::vector<Work> minting(unsigned threads, crypto::KeyKind device,
                                 const crypto::Certificate& ca, const crypto::Signer& signer) {
  const auto profile = make_profile(device, ca, signer.algorithm());
  std::vector<Work> work;
  for (unsigned i = 0; i < threads; ++i) {
    work.emplace_back([minter = std::make_shared<crypto::Minter>(
                           must(crypto::Minter::create(profile, ca, signer))),
                       identity = std::make_shared<crypto::Identity>()] {
      constexpr std::array<std::string_view, 2> kSlots = {"unit-0042.devices.example.com",
                                                          "unit-0042.devices.example.com"};
      if (!minter->mint(kSlots, *identity)) std::abort();
    });
  }
  return work;
}

/// Thread counts from the arguments; 1 and 2 when there are none.
inline std::vector<unsigned> thread_counts(int argc, char** argv, int first) {
  std::vector<unsigned> counts;
  for (int i = first; i < argc; ++i)
    counts.push_back(static_cast<unsigned>(std::atoi(argv[i])));
  if (counts.empty()) counts = {1, 2};
  return counts;
}

}  // namespace imprint::bench
