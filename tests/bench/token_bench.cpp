// What the way to a PKCS#11 token costs over the token itself: Signer::sign against bare C_SignInit
// and C_Sign, and minting against bare key generation and C_Sign, with a P-256 key in SoftHSM and a
// session a thread. In turn, medians, as mint_bench does.
//
//   token_bench [THREADS...]

#include <filesystem>
#include <p11-kit/p11-kit.h>

#include "bare_crypto.hpp"
#include "imprint/authority/authority.hpp"
#include "mint_setup.hpp"
#include "support/soft_token.hpp"

namespace {

using namespace imprint;
using namespace imprint::bench;
using crypto::KeyKind;
using imprint::test::SoftHsm;

/// A session with the key, by nobody's code but the module's.
class BareSession {
 public:
  BareSession() : functions_(p11_kit_module_load(SoftHsm::kModule, 0)) {
    CK_OBJECT_CLASS wanted = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE attribute{CKA_CLASS, &wanted, sizeof(wanted)};
    CK_ULONG count = 1;
    // The token's slot, and SoftHSM's empty one after it.
    std::array<CK_SLOT_ID, 8> slots{};
    CK_ULONG slot_count = slots.size();
    bool ok = functions_ != nullptr && p11_kit_module_initialize(functions_) == CKR_OK &&
              functions_->C_GetSlotList(CK_TRUE, slots.data(), &slot_count) == CKR_OK;
    ok = ok &&
         functions_->C_OpenSession(slots.front(), CKF_SERIAL_SESSION, nullptr, nullptr,
                                   &session_) == CKR_OK &&
         functions_->C_FindObjectsInit(session_, &attribute, 1) == CKR_OK &&
         functions_->C_FindObjects(session_, &key_, 1, &count) == CKR_OK && count == 1 &&
         functions_->C_FindObjectsFinal(session_) == CKR_OK;
    if (!ok) std::abort();
  }

  void sign() const {
    std::array<unsigned char, 32> digest{};
    std::array<unsigned char, 64> signature{};
    CK_ULONG size = signature.size();
    CK_MECHANISM mechanism{CKM_ECDSA, nullptr, 0};
    if (functions_->C_SignInit(session_, &mechanism, key_) != CKR_OK ||
        functions_->C_Sign(session_, digest.data(), digest.size(), signature.data(), &size) !=
            CKR_OK)
      std::abort();
  }

 private:
  CK_FUNCTION_LIST* functions_;
  CK_SESSION_HANDLE session_ = 0;
  CK_OBJECT_HANDLE key_ = 0;
};

void print(const char* what, unsigned threads, std::pair<double, double> rates) {
  fmt::print("{:7}  {:7.0f}  {:10.0f}  {:5.2f}  {}\n", threads, rates.first, rates.second,
             rates.second / rates.first, what);
  std::fflush(stdout);
}

void compare(unsigned threads, const authority::Authority& ca) {
  std::vector<Work> bare_signing;
  std::vector<Work> bare_minting;
  std::vector<Work> signing;
  for (unsigned i = 0; i < threads; ++i) {
    const auto session = std::make_shared<BareSession>();
    bare_signing.emplace_back([session] { session->sign(); });
    bare_minting.emplace_back(
        [session, keys = std::make_shared<BareCrypto>(KeyKind::ec_p256, KeyKind::ec_p256)] {
          keys->make_key();
          session->sign();
        });
    signing.emplace_back([signer = std::shared_ptr<crypto::Signer>(must(ca.signer().clone()))] {
      const std::array<std::byte, 32> digest{};
      std::array<std::byte, 80> signature{};
      if (!signer->sign(digest, signature)) std::abort();
    });
  }
  print("Signer::sign against C_SignInit + C_Sign", threads, in_turn(bare_signing, signing, {}));
  print(
      "mint against key generation + C_SignInit + C_Sign", threads,
      in_turn(bare_minting, minting(threads, KeyKind::ec_p256, ca.certificate(), ca.signer()), {}));
}

}  // namespace

int main(int argc, char** argv) {
  crypto::harden_process();
  if (!std::filesystem::exists(SoftHsm::kModule)) {
    fmt::print(stderr, "token_bench: needs SoftHSM ({})\n", SoftHsm::kModule);
    return 1;
  }
  const SoftHsm hsm;
  const imprint::test::TempDir dir;
  const Ca made = Ca::make(KeyKind::ec_p256);
  hsm.make_token("ca");
  hsm.import_key("ca", dir.write("key.pem", text_of(must(made.key.to_pem()).view())), "ca-key");
  const authority::AuthoritySource source{
      .certificate = dir.write("ca.pem", made.certificate.to_pem()),
      .key = authority::TokenKey{std::string("pkcs11:token=ca?module-path=") + SoftHsm::kModule},
      .passphrase = authority::PassphraseSource{authority::PassphraseSource::Kind::file,
                                                dir.write("pin", SoftHsm::kPin).string()}};
  std::filesystem::permissions(dir / "pin", std::filesystem::perms{0600});
  const auto ca = must(authority::Authority::open(source, system_clock().now()));
  fmt::print("threads  bare /s  measured /s  ratio\n");
  for (const unsigned threads : thread_counts(argc, argv, 1))
    compare(threads, ca);
  return 0;
}
