// How near minting comes to its limit: one key generation and one CA signature, which no software
// signer can avoid.
//
//   mint_bench [THREADS...]          P-256 devices and CA
//   mint_bench --kinds [THREADS...]  other kinds of key, matching and mixed
//
// For 1 and 2 threads (or those given) the two loops run in turn for half a second each, seven
// times over, so that a machine that drifts hits both alike; the medians are compared. RSA devices
// take three seconds and fifteen times, because the time to find a prime varies so much. Build it
// with the release preset.

#include <string_view>

#include "bare_crypto.hpp"
#include "mint_setup.hpp"

namespace {

using namespace imprint;
using namespace imprint::bench;
using crypto::KeyKind;

void compare(KeyKind device, KeyKind ca_kind, unsigned threads) {
  const Ca ca = Ca::make(ca_kind);
  const auto signer = must(crypto::make_key_signer(ca.key));
  std::vector<Work> bare;
  for (unsigned i = 0; i < threads; ++i) {
    bare.emplace_back([crypto = std::make_shared<BareCrypto>(device, ca_kind)] {
      crypto->make_key();
      crypto->sign();
    });
  }
  Rounds rounds;
  if (device == KeyKind::rsa_2048)
    rounds = {.count = 15, .time = std::chrono::seconds(3), .step = 1};
  const auto [limit, reached] =
      in_turn(bare, minting(threads, device, ca.certificate, *signer), rounds);
  fmt::print("{:7}  {:19.0f}  {:7.0f}  {:5.2f}  {} / {}\n", threads, limit, reached,
             reached / limit, crypto::name(device), crypto::name(ca_kind));
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  crypto::harden_process();
  const bool kinds = argc > 1 && std::string_view(argv[1]) == "--kinds";
  fmt::print("threads  bare keygen+sign /s  mint /s  ratio  device / CA\n");
  for (const unsigned threads : thread_counts(argc, argv, kinds ? 2 : 1)) {
    if (!kinds) {
      compare(KeyKind::ec_p256, KeyKind::ec_p256, threads);
      continue;
    }
    for (const KeyKind kind : {KeyKind::ec_p256, KeyKind::ec_p384, KeyKind::ec_p521,
                               KeyKind::ed25519, KeyKind::rsa_2048})
      compare(kind, kind, threads);
    compare(KeyKind::ec_p256, KeyKind::ec_p384, threads);
    compare(KeyKind::ec_p256, KeyKind::rsa_2048, threads);
    compare(KeyKind::ed25519, KeyKind::ec_p256, threads);
    compare(KeyKind::rsa_2048, KeyKind::ec_p256, threads);
  }
  return 0;
}
