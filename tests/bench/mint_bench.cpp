// How near minting comes to its limit: one key generation and one CA signature, which no software
// signer can avoid.
//
//   mint_bench [THREADS...] [KEY/CA...|all]    mint_bench 1 2 rsa:2048/ec:P-256
//
// For 1 and 2 threads and P-256 keys below a P-256 CA, or what is given, the two loops run in turn,
// five times over, so that a machine that drifts hits both alike; the medians are compared. RSA
// keys take longer: how long a search for primes lasts is luck, and only many of them have a mean.
// Build it with the release preset.

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "imprint/crypto/mint.hpp"

namespace {

using namespace imprint;
using namespace imprint::crypto;
using Clock = std::chrono::steady_clock;

constexpr int kRounds = 5;

/// Kinds of the devices' keys and of the CA's.
struct Case {
  KeyKind device;
  KeyKind ca;
};

/// Of each kind, below a CA of its own and of another kind.
const std::vector<Case> kAll = {
    {KeyKind::ec_p256, KeyKind::ec_p256},   {KeyKind::ec_p384, KeyKind::ec_p384},
    {KeyKind::ec_p521, KeyKind::ec_p521},   {KeyKind::ed25519, KeyKind::ed25519},
    {KeyKind::rsa_2048, KeyKind::rsa_2048}, {KeyKind::ec_p256, KeyKind::ec_p384},
    {KeyKind::ec_p256, KeyKind::rsa_2048},  {KeyKind::ed25519, KeyKind::ec_p256},
    {KeyKind::rsa_2048, KeyKind::ec_p256},
};

/// One round of a loop, and how often it looks at the clock.
struct Pace {
  std::chrono::milliseconds time;
  int batch;
};

Pace pace_of(KeyKind device) {
  if (device == KeyKind::rsa_2048) return {std::chrono::seconds(8), 1};
  return {std::chrono::milliseconds(500), 5};
}

/// Runs `work()` on each of `threads` threads until time is up; `make_work(thread)` is not counted.
/// Per second.
double rate(unsigned threads, Pace pace,
            const std::function<std::function<void()>(unsigned)>& make_work) {
  std::vector<std::function<void()>> work;
  for (unsigned i = 0; i < threads; ++i)
    work.push_back(make_work(i));
  std::atomic<std::uint64_t> done = 0;
  std::vector<std::jthread> running;
  const Clock::time_point start = Clock::now();
  for (unsigned i = 0; i < threads; ++i) {
    running.emplace_back([&, i] {
      std::uint64_t count = 0;
      while (Clock::now() - start < pace.time) {
        for (int n = 0; n < pace.batch; ++n)
          work[i]();
        count += static_cast<std::uint64_t>(pace.batch);
      }
      done += count;
    });
  }
  running.clear();
  return static_cast<double>(done) / std::chrono::duration<double>(Clock::now() - start).count();
}

void check(bool ok) {
  if (!ok) std::abort();
}

/// What OpenSSL calls a kind, and how.
EVP_PKEY_CTX* generator(OSSL_LIB_CTX* library, KeyKind kind) {
  const std::string words(name(kind));  // `ec:P-256`, `rsa:2048`, `ed25519`
  const std::string type = words.substr(0, words.find(':'));
  EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_from_name(library, type.c_str(), nullptr);
  check(EVP_PKEY_keygen_init(context) == 1);
  if (type == "ec") check(EVP_PKEY_CTX_set_group_name(context, words.substr(3).c_str()) == 1);
  if (type == "rsa")
    check(EVP_PKEY_CTX_set_rsa_keygen_bits(context, std::stoi(words.substr(4))) == 1);
  return context;
}

EVP_PKEY* generate(EVP_PKEY_CTX* context) {
  EVP_PKEY* key = nullptr;
  check(EVP_PKEY_generate(context, &key) == 1);
  return key;
}

/// Bare EVP_PKEY_generate + EVP_PKEY_sign (Ed25519: EVP_DigestSign, of as much as a certificate
/// has) on contexts made once, with a library context per thread.
class Bare {
 public:
  explicit Bare(const Case& kinds)
      : library_(OSSL_LIB_CTX_new()),
        ca_(generate(generator(library_, kinds.ca))),
        generate_(generator(library_, kinds.device)) {
    if (kinds.ca == KeyKind::ed25519) {
      sign_message_ = EVP_MD_CTX_new();
      return;
    }
    sign_ = EVP_PKEY_CTX_new_from_pkey(library_, ca_, nullptr);
    check(EVP_PKEY_sign_init(sign_) == 1);
    if (EVP_PKEY_is_a(ca_, "RSA") == 1) {
      check(EVP_PKEY_CTX_set_rsa_padding(sign_, RSA_PKCS1_PADDING) == 1);
      check(EVP_PKEY_CTX_set_signature_md(sign_, EVP_MD_fetch(library_, "SHA256", nullptr)) == 1);
    }
    if (kinds.ca == KeyKind::ec_p384) digest_bytes_ = 48;
    if (kinds.ca == KeyKind::ec_p521) digest_bytes_ = 64;
  }

  void operator()() const {
    EVP_PKEY* const key = generate(generate_);
    std::array<unsigned char, 600> input{};
    std::array<unsigned char, 600> signature{};
    std::size_t size = signature.size();
    if (sign_ != nullptr) {
      check(EVP_PKEY_sign(sign_, signature.data(), &size, input.data(), digest_bytes_) == 1);
    } else {
      check(
          EVP_MD_CTX_reset(sign_message_) == 1 &&
          EVP_DigestSignInit_ex(sign_message_, nullptr, nullptr, library_, nullptr, ca_, nullptr) ==
              1 &&
          EVP_DigestSign(sign_message_, signature.data(), &size, input.data(), input.size()) == 1);
    }
    EVP_PKEY_free(key);
  }

 private:
  // As many as threads and cases, and kept until the program ends.
  OSSL_LIB_CTX* library_;
  EVP_PKEY* ca_;
  EVP_PKEY_CTX* generate_;
  EVP_PKEY_CTX* sign_ = nullptr;
  EVP_MD_CTX* sign_message_ = nullptr;
  std::size_t digest_bytes_ = 32;
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

/// Seven attributes and a SAN, as in the README's manifest.
ProfileSpec profile_spec(KeyKind device, TimePoint now) {
  ProfileSpec spec;
  spec.key = device;
  spec.subject = {{NameField::common_name, std::nullopt},
                  {NameField::organization, "My Organization"},
                  {NameField::organizational_unit, "My Unit"},
                  {NameField::email_address, "ops@example.com"},
                  {NameField::country, "NO"},
                  {NameField::locality, "Oslo"},
                  {NameField::state, "Oslo"}};
  spec.alt_names = {{AltNameKind::dns, std::nullopt}};
  spec.not_before = now;
  spec.not_after = now + std::chrono::hours(24 * 365 * 10);
  return spec;
}

std::function<void()> minting(std::shared_ptr<Minter> minter) {
  return [minter = std::move(minter), identity = std::make_shared<Identity>()] {
    const std::array<std::string_view, 2> slots = {"unit-0042.devices.example.com",
                                                   "unit-0042.devices.example.com"};
    check(minter->mint(slots, *identity).has_value());
  };
}

void measure(const Case& kinds, const std::vector<unsigned>& thread_counts) {
  const TimePoint now = system_clock().now();
  const PrivateKey ca_key = must(PrivateKey::generate(kinds.ca));
  const CaSpec ca_spec{.subject = {{NameField::common_name, "Bench CA"}},
                       .not_before = now,
                       .not_after = now + std::chrono::hours(24 * 365 * 20),
                       .path_length = std::nullopt};
  const Certificate ca = must(make_ca_certificate(ca_spec, ca_key));
  const auto signer = must(make_key_signer(ca_key));
  const auto profile =
      must(Profile::compile(profile_spec(kinds.device, now), ca, signer->algorithm()));
  for (const unsigned threads : thread_counts) {
    std::vector<std::shared_ptr<Bare>> bare;
    std::vector<std::shared_ptr<Minter>> minters;
    for (unsigned i = 0; i < threads; ++i) {
      bare.push_back(std::make_shared<Bare>(kinds));
      minters.push_back(std::make_shared<Minter>(must(Minter::create(profile, ca, *signer))));
      minting(minters.back())();  // the first one is verified, which is no part of the rate
    }
    std::vector<double> bare_rates;
    std::vector<double> mint_rates;
    const Pace pace = pace_of(kinds.device);
    for (int round = 0; round < kRounds; ++round) {
      bare_rates.push_back(
          rate(threads, pace, [&](unsigned i) { return [b = bare[i]] { (*b)(); }; }));
      mint_rates.push_back(rate(threads, pace, [&](unsigned i) { return minting(minters[i]); }));
    }
    const double limit = median(bare_rates);
    const double reached = median(mint_rates);
    fmt::print("{:7}  {:19.0f}  {:7.0f}  {:5.2f}  {}/{}\n", threads, limit, reached,
               reached / limit, name(kinds.device), name(kinds.ca));
    std::fflush(stdout);
  }
}

Case parse_case(std::string_view text) {
  const auto slash = text.find('/');
  const auto device = must(parse_key_kind(text.substr(0, slash)));
  return {device,
          slash == std::string_view::npos ? device : must(parse_key_kind(text.substr(slash + 1)))};
}

}  // namespace

int main(int argc, char** argv) {
  harden_process();
  std::vector<unsigned> thread_counts;
  std::vector<Case> cases;
  for (const std::string_view argument : std::vector<std::string_view>(argv + 1, argv + argc)) {
    if (argument == "all") {
      cases = kAll;
    } else if (argument.front() >= '0' && argument.front() <= '9') {
      thread_counts.push_back(static_cast<unsigned>(std::atoi(argument.data())));
    } else {
      cases.push_back(parse_case(argument));
    }
  }
  if (thread_counts.empty()) thread_counts = {1, 2};
  if (cases.empty()) cases = {kAll.front()};
  fmt::print("threads  bare keygen+sign /s  mint /s  ratio  key/CA\n");
  for (const Case& kinds : cases)
    measure(kinds, thread_counts);
  return 0;
}
