// How near minting comes to its limit: one key generation and one CA signature, which no software
// signer can avoid.
//
// For 1 and 2 threads (or those given as arguments) the two loops run in turn for half a second
// each, five times over, so that a machine that drifts hits both alike; the medians are compared.
// Build it with the release preset.

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <openssl/evp.h>

#include "imprint/crypto/mint.hpp"

namespace {

using namespace imprint;
using namespace imprint::crypto;
using Clock = std::chrono::steady_clock;

constexpr int kRounds = 5;
constexpr auto kRoundTime = std::chrono::milliseconds(500);

/// Runs `work()` on each of `threads` threads until time is up; `make_work(thread)` is not counted.
/// Per second.
double rate(unsigned threads, const std::function<std::function<void()>(unsigned)>& make_work) {
  std::vector<std::function<void()>> work;
  for (unsigned i = 0; i < threads; ++i)
    work.push_back(make_work(i));
  std::atomic<std::uint64_t> done = 0;
  std::vector<std::jthread> running;
  const Clock::time_point start = Clock::now();
  for (unsigned i = 0; i < threads; ++i) {
    running.emplace_back([&, i] {
      std::uint64_t count = 0;
      while (Clock::now() - start < kRoundTime) {
        for (int n = 0; n < 20; ++n)
          work[i]();
        count += 20;
      }
      done += count;
    });
  }
  running.clear();
  return static_cast<double>(done) / std::chrono::duration<double>(Clock::now() - start).count();
}

/// Bare EVP_PKEY_generate + EVP_PKEY_sign on contexts made once, with a library context per thread.
struct Bare {
  OSSL_LIB_CTX* library = OSSL_LIB_CTX_new();
  EVP_PKEY* ca = EVP_PKEY_Q_keygen(library, nullptr, "EC", "P-256");
  EVP_PKEY_CTX* generate = EVP_PKEY_CTX_new_from_name(library, "EC", nullptr);
  EVP_PKEY_CTX* sign = EVP_PKEY_CTX_new_from_pkey(library, ca, nullptr);

  Bare() {
    EVP_PKEY_keygen_init(generate);
    EVP_PKEY_CTX_set_group_name(generate, "P-256");
    EVP_PKEY_sign_init(sign);
  }

  void operator()() const {
    EVP_PKEY* key = nullptr;
    std::array<unsigned char, 32> digest{};
    std::array<unsigned char, 80> signature{};
    std::size_t size = signature.size();
    if (EVP_PKEY_generate(generate, &key) != 1 ||
        EVP_PKEY_sign(sign, signature.data(), &size, digest.data(), digest.size()) != 1) {
      std::abort();
    }
    EVP_PKEY_free(key);
  }
};

template <class T>
T must(Result<T> result) {
  if (result) return std::move(*result);
  fmt::print(stderr, "{}\n", result.error().message());
  std::exit(1);  // NOLINT(concurrency-mt-unsafe): no thread runs yet
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  harden_process();
  const TimePoint now = system_clock().now();
  const auto years = [](int n) { return std::chrono::hours(24 * 365 * n); };
  const PrivateKey ca_key = must(PrivateKey::generate(KeyKind::ec_p256));
  const CaSpec ca_spec{.subject = {{NameField::common_name, "Bench CA"}},
                       .not_before = now,
                       .not_after = now + years(20),
                       .path_length = std::nullopt};
  const Certificate ca = must(make_ca_certificate(ca_spec, ca_key));
  const auto signer = must(make_key_signer(ca_key));
  // Seven attributes and a SAN, as in the README's manifest.
  ProfileSpec spec;
  spec.subject = {{NameField::common_name, std::nullopt},
                  {NameField::organization, "My Organization"},
                  {NameField::organizational_unit, "My Unit"},
                  {NameField::email_address, "ops@example.com"},
                  {NameField::country, "NO"},
                  {NameField::locality, "Oslo"},
                  {NameField::state, "Oslo"}};
  spec.alt_names = {{AltNameKind::dns, std::nullopt}};
  spec.not_before = now;
  spec.not_after = now + years(10);
  const auto profile = must(Profile::compile(spec, ca, signer->algorithm()));

  std::vector<unsigned> thread_counts;
  for (int i = 1; i < argc; ++i)
    thread_counts.push_back(static_cast<unsigned>(std::atoi(argv[i])));
  if (thread_counts.empty()) thread_counts = {1, 2};
  fmt::print("threads  bare keygen+sign /s  mint /s  ratio\n");
  for (const unsigned threads : thread_counts) {
    std::vector<std::shared_ptr<Bare>> bare;
    std::vector<std::shared_ptr<Minter>> minters;
    for (unsigned i = 0; i < threads; ++i) {
      bare.push_back(std::make_shared<Bare>());
      minters.push_back(std::make_shared<Minter>(must(Minter::create(profile, ca, *signer))));
    }
    std::vector<double> bare_rates;
    std::vector<double> mint_rates;
    for (int round = 0; round < kRounds; ++round) {
      bare_rates.push_back(rate(threads, [&](unsigned i) { return [b = bare[i]] { (*b)(); }; }));
      mint_rates.push_back(rate(threads, [&](unsigned i) {
        return [minter = minters[i], identity = std::make_shared<Identity>()] {
          const std::array<std::string_view, 2> slots = {"unit-0042.devices.example.com",
                                                         "unit-0042.devices.example.com"};
          if (!minter->mint(slots, *identity)) std::abort();
        };
      }));
    }
    const double limit = median(bare_rates);
    const double reached = median(mint_rates);
    fmt::print("{:7}  {:19.0f}  {:7.0f}  {:5.2f}\n", threads, limit, reached, reached / limit);
  }
  return 0;
}
