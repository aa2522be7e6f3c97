// Keys in PKCS#11 tokens: SoftHSM, and SoftHSM with faults (faulty_token.cpp).

#include <array>
#include <atomic>
#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "folder.hpp"
#include "support/soft_token.hpp"

namespace imprint::authority {
namespace {

using imprint::test::slurp;
using imprint::test::SoftHsm;
using test::CaFolder;
using test::FailsWith;
using test::IsOk;
using test::now;
using test::set_environment;
using testing::HasSubstr;
using testing::Not;

/// A CA whose key is also in a token: label `ca`, object `ca-key`, id 01.
struct TokenCa {
  explicit TokenCa(const std::vector<std::string>& generate = CaFolder::kP256)
      : folder(CaFolder::kGoodExtensions, generate) {
    hsm.make_token("ca");
    hsm.import_key("ca", folder.key(), "ca-key");
  }

  ~TokenCa() {
    for (const char* const name : {"IMPRINT_TEST_PIN", "FAULTY_TOKEN_LOG", "FAULTY_TOKEN_FLAGS",
                                   "FAULTY_TOKEN_SESSIONS", "FAULTY_TOKEN_SIGN"})
      set_environment(name, nullptr);
  }

  TokenCa(const TokenCa&) = delete;
  TokenCa& operator=(const TokenCa&) = delete;

  [[nodiscard]] AuthoritySource source(const std::string& uri,
                                       const std::string& pin = "env:IMPRINT_TEST_PIN") const {
    AuthoritySource source = folder.files();
    source.key = TokenKey{uri};
    if (!pin.empty()) source.passphrase = parse_passphrase_source(pin).value();
    return source;
  }

  /// A variable is gone once a PIN was read from it, so it is set for each.
  [[nodiscard]] Result<Authority> open(const std::string& uri,
                                       const std::string& pin = "env:IMPRINT_TEST_PIN") const {
    set_environment("IMPRINT_TEST_PIN", pin_value.c_str());
    return Authority::open(source(uri, pin), now());
  }

  /// Through the module with faults, which writes down the logins.
  [[nodiscard]] Result<Authority> open_faulty(
      const std::string& pin = "env:IMPRINT_TEST_PIN") const {
    set_environment("FAULTY_TOKEN_LOG", (folder.dir() / "logins").c_str());
    return open(std::string("pkcs11:token=ca?module-path=") + IMPRINT_FAULTY_TOKEN, pin);
  }

  [[nodiscard]] std::string logins() const { return slurp(folder.dir() / "logins"); }

  SoftHsm hsm;
  CaFolder folder;
  std::string pin_value = SoftHsm::kPin;
};

const std::string kModulePath = std::string("?module-path=") + SoftHsm::kModule;
const std::string kUri = "pkcs11:token=ca;object=ca-key" + kModulePath;

Result<Bytes> sign(crypto::Signer& signer) {
  return crypto::sign_message(signer, bytes_of("to be signed"));
}

bool is_right(const Authority& authority, const Bytes& signature) {
  return crypto::verify_signature(authority.certificate(), authority.signer().algorithm(),
                                  bytes_of("to be signed"), signature);
}

struct KeyRow {
  std::string name;
  std::vector<std::string> generate;
  const char* digest;
};

class TokenKeys : public testing::TestWithParam<KeyRow> {};

TEST_P(TokenKeys, SignAsTheCaDoes) {
  IMPRINT_NEED_SOFTHSM();
  const TokenCa ca(GetParam().generate);
  const auto authority = ca.open(kUri);
  ASSERT_THAT(authority, IsOk());
  const auto signer = authority->signer().clone();
  ASSERT_THAT(signer, IsOk());
  // Some of so many ECDSA signatures have parts with leading zeros.
  for (int i = 0; i < 600; ++i) {
    const auto signature = sign(**signer);
    ASSERT_THAT(signature, IsOk());
    ASSERT_LE(signature->size(), (*signer)->max_signature_bytes());
    ASSERT_TRUE(is_right(*authority, *signature)) << to_hex(*signature);
    if (i > 20 && GetParam().name == "rsa") break;
  }
  const auto& dir = ca.folder.dir();
  const std::string key = dir / "public.pem";
  test::openssl({"x509", "-in", ca.folder.certificate(), "-noout", "-pubkey", "-out", key});
  const std::string file = dir.write("signature", text_of(sign(**signer).value()));
  const std::string message = dir.write("message", "to be signed");
  if (GetParam().digest == nullptr) {
    test::openssl({"pkeyutl", "-verify", "-pubin", "-inkey", key, "-rawin", "-in", message,
                   "-sigfile", file});
  } else {
    test::openssl({"dgst", GetParam().digest, "-verify", key, "-signature", file, message});
  }
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, TokenKeys,
    testing::Values(
        KeyRow{"p256", CaFolder::kP256, "-sha256"},
        KeyRow{"p384", {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"}, "-sha384"},
        KeyRow{"p521", {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"}, "-sha512"},
        KeyRow{"rsa", {"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"}, "-sha256"},
        KeyRow{"ed25519", {"-algorithm", "ED25519"}, nullptr}),
    [](const auto& param_info) { return param_info.param.name; });

TEST(Token, IsFoundInManyWays) {
  IMPRINT_NEED_SOFTHSM();
  const TokenCa ca;
  for (const std::string& uri :
       {"pkcs11:" + kModulePath, "pkcs11:token=ca;id=%01;type=private" + kModulePath,
        "pkcs11:manufacturer=SoftHSM%20project;object=ca-key" + kModulePath,
        std::string("pkcs11:token=ca"), std::string("pkcs11:token=ca?module-name=softhsm2"),
        std::string("pkcs11:token=ca?module-name=libsofthsm2")}) {
    EXPECT_THAT(ca.open(uri), IsOk()) << uri;
  }
}

TEST(Token, ThatTheUriDoesNotMeanIsNotUsed) {
  IMPRINT_NEED_SOFTHSM();
  const TokenCa ca;
  EXPECT_THAT(ca.open("pkcs11:token=other" + kModulePath),
              FailsWith(Code::not_found, "no token matches the URI; there is: 'ca' (serial="));
  EXPECT_THAT(ca.open("pkcs11:token=ca;object=other" + kModulePath),
              FailsWith(Code::not_found, "CA key 'pkcs11:token=ca;object=other" + kModulePath +
                                             "': token 'ca': no private key matches the URI; there "
                                             "is: 'ca-key' (id=%01)"));
  EXPECT_THAT(ca.open("pkcs11:token=ca?module-path=/nowhere/module.so"),
              FailsWith(Code::io, "loading the PKCS#11 module '/nowhere/module.so': "));
  EXPECT_THAT(ca.open("pkcs11:token=ca?module-name=nowhere"),
              FailsWith(Code::not_found,
                        "p11-kit is configured for no PKCS#11 module 'nowhere'; "
                        "there are: "));
}

TEST(Token, WithoutAnyKeySaysSo) {
  IMPRINT_NEED_SOFTHSM();
  const TokenCa ca;
  ca.hsm.make_token("empty");
  EXPECT_THAT(ca.open("pkcs11:token=empty" + kModulePath),
              FailsWith(Code::not_found, "no private key matches the URI; there is: none"));
}

TEST(Token, OfTwoWithOneLabelIsRefusedBeforeAnyPin) {
  IMPRINT_NEED_SOFTHSM();
  const TokenCa ca;
  ca.hsm.make_token("ca");
  const auto refused = ca.open_faulty();
  EXPECT_THAT(refused, FailsWith(Code::invalid_input, "the URI matches 2 tokens: 'ca' (serial="));
  EXPECT_THAT(refused, FailsWith(Code::invalid_input, "; add serial= or module-path= to it"));
  EXPECT_FALSE(std::filesystem::exists(ca.folder.dir() / "logins"));
}

TEST(Token, WithTwoFittingKeysIsRefused) {
  IMPRINT_NEED_SOFTHSM();
  const TokenCa ca;
  ca.hsm.import_key("ca", ca.folder.key(), "ca-key", "02");
  EXPECT_THAT(ca.open(kUri), FailsWith(Code::invalid_input, "the URI matches 2 private keys: "));
  EXPECT_THAT(ca.open(kUri), FailsWith(Code::invalid_input, "'ca-key' (id=%02)"));
  EXPECT_THAT(ca.open("pkcs11:token=ca;id=%02" + kModulePath), IsOk());
}

TEST(Token, WithTheKeyOfAnotherCaIsRefused) {
  IMPRINT_NEED_SOFTHSM();
  const TokenCa ca;
  const CaFolder other;
  const CaFolder rsa(CaFolder::kGoodExtensions, {"-algorithm", "RSA"});
  ca.hsm.import_key("ca", other.key(), "other", "02");
  ca.hsm.import_key("ca", rsa.key(), "rsa", "03");
  EXPECT_THAT(ca.open("pkcs11:token=ca;object=other" + kModulePath),
              FailsWith(Code::invalid_input, "belongs to another certificate than '" +
                                                 ca.folder.certificate().string()));
  EXPECT_THAT(ca.open("pkcs11:token=ca;object=rsa" + kModulePath),
              FailsWith(Code::invalid_input,
                        "the private key 'rsa' (id=%03) is not an EC key, which the CA "
                        "certificate's is"));
}

TEST(Token, GetsAWrongPinOnce) {
  IMPRINT_NEED_SOFTHSM();
  TokenCa ca;
  ca.pin_value = "987654";
  const auto refused = ca.open_faulty();
  EXPECT_THAT(refused, FailsWith(Code::invalid_input,
                                 "token 'ca': the PIN is wrong; it was tried once and is not tried "
                                 "again, because tokens lock themselves"));
  EXPECT_THAT(refused.error().message(), Not(HasSubstr("987654")));
  EXPECT_EQ(ca.logins(), "1 6\n");
  // The token remembers it, and the next one to open it is told.
  ca.pin_value = SoftHsm::kPin;
  const auto authority = ca.open(kUri);
  ASSERT_THAT(authority, IsOk());
  EXPECT_THAT(authority->warnings(),
              testing::ElementsAre("token 'ca': a wrong PIN was given since the last login"));
}

TEST(Token, GetsThePinOnceForAllSigners) {
  IMPRINT_NEED_SOFTHSM();
  const TokenCa ca;
  const auto authority = ca.open_faulty();
  ASSERT_THAT(authority, IsOk());
  for (int i = 0; i < 3; ++i)
    ASSERT_THAT(authority->signer().clone(), IsOk());
  EXPECT_EQ(ca.logins(), "1 4\n");
}

TEST(Token, ThatCouldLockGetsNoPin) {
  IMPRINT_NEED_SOFTHSM();
  const TokenCa ca;
  const std::pair<CK_FLAGS, const char*> rows[] = {
      {CKF_USER_PIN_LOCKED,
       "token 'ca': its user PIN is locked; let its security officer set it anew"},
      {CKF_USER_PIN_FINAL_TRY, "token 'ca': one more wrong PIN would lock it, so none is given"},
  };
  for (const auto& [flags, message] : rows) {
    set_environment("FAULTY_TOKEN_FLAGS", std::to_string(flags).c_str());
    EXPECT_THAT(ca.open_faulty(), FailsWith(Code::invalid_input, message));
  }
  EXPECT_FALSE(std::filesystem::exists(ca.folder.dir() / "logins"));
}

TEST(Token, WithAPinPadAsksByItself) {
  IMPRINT_NEED_SOFTHSM();
  const TokenCa ca;
  set_environment("FAULTY_TOKEN_FLAGS", std::to_string(CKF_PROTECTED_AUTHENTICATION_PATH).c_str());
  EXPECT_THAT(ca.open_faulty(""), IsOk());
  EXPECT_EQ(ca.logins(), "1 pad\n");
}

TEST(Token, WithoutASourceForItsPinIsRefused) {
  IMPRINT_NEED_SOFTHSM();
  const TokenCa ca;
  EXPECT_THAT(
      ca.open(kUri, ""),
      FailsWith(Code::invalid_input,
                "token 'ca': it wants a PIN and none was given; name its source: env:NAME"));
  EXPECT_THAT(ca.open(kUri, "env:IMPRINT_TEST_UNSET"),
              FailsWith(Code::invalid_input, "'IMPRINT_TEST_UNSET' is not set"));
}

TEST(Token, TakesThePinFromAFile) {
  IMPRINT_NEED_SOFTHSM();
  const TokenCa ca;
  const auto file = ca.folder.dir().write("pin", "1234\n");
  const std::string uri = kUri + "&pin-source=file:" + file.string();
  std::filesystem::permissions(file, std::filesystem::perms{0600});
  EXPECT_THAT(ca.open(uri, ""), IsOk());
  EXPECT_THAT(ca.open(kUri, "file:" + file.string()), IsOk());
  std::filesystem::permissions(file, std::filesystem::perms{0640});
  EXPECT_THAT(ca.open(uri, ""),
              FailsWith(Code::invalid_input, "can be read by others; run chmod 600 on it"));
  std::filesystem::remove(file);
  EXPECT_THAT(ca.open(uri, ""), FailsWith(Code::not_found, file.string()));
}

TEST(Token, WithThePinInItsUriIsRefused) {
  const CaFolder folder;
  AuthoritySource source = folder.files();
  source.key = TokenKey{"pkcs11:token=ca?pin-value=271828"};
  const auto refused = Authority::open(source, now());
  EXPECT_THAT(refused, FailsWith(Code::invalid_input, "it holds a pin-value"));
  EXPECT_THAT(refused.error().message(), Not(HasSubstr("271828")));
}

TEST(Token, WithoutASessionLeftSaysSo) {
  IMPRINT_NEED_SOFTHSM();
  const TokenCa ca;
  set_environment("FAULTY_TOKEN_SESSIONS", "2");
  const auto authority = ca.open_faulty();
  ASSERT_THAT(authority, IsOk());  // one, and for a time the test certificate's
  const auto second = authority->signer().clone();
  ASSERT_THAT(second, IsOk());
  EXPECT_THAT(authority->signer().clone(),
              FailsWith(Code::busy, "token 'ca': it has no session left; use fewer --jobs"));
}

TEST(Token, ThatSignsNonsenseFails) {
  IMPRINT_NEED_SOFTHSM();
  const TokenCa ca;
  const auto authority = ca.open_faulty();
  ASSERT_THAT(authority, IsOk());
  const auto signer = authority->signer().clone().value();
  const std::pair<const char*, const char*> rows[] = {
      {"zero", "token 'ca': the token gave a signature that cannot be"},
      {"order", "token 'ca': the token gave a signature that cannot be"},
      {"short", "token 'ca': the token gave a signature of 62 bytes where ecdsa-sha256 has 64"},
      {"0x5", "token 'ca': signing with CKM_ECDSA: "},  // CKR_GENERAL_ERROR is final
  };
  for (const auto& [fault, message] : rows) {
    set_environment("FAULTY_TOKEN_SIGN", fault);
    EXPECT_THAT(sign(*signer), FailsWith(Code::crypto, message));
  }
  set_environment("FAULTY_TOKEN_SIGN", nullptr);
  EXPECT_THAT(sign(*signer), IsOk());
}

TEST(Token, ThatIsLostForGoodFailsAfterSomeTries) {
  IMPRINT_NEED_SOFTHSM();
  const TokenCa ca;
  const auto authority = ca.open_faulty();
  ASSERT_THAT(authority, IsOk());
  const auto signer = authority->signer().clone().value();
  set_environment("FAULTY_TOKEN_SIGN", std::to_string(CKR_DEVICE_REMOVED).c_str());
  EXPECT_THAT(sign(*signer), FailsWith(Code::crypto, "token 'ca': signing with CKM_ECDSA: "));
  EXPECT_EQ(ca.logins(), "1 4\n") << "nobody was logged out";
}

/// What happens when a network HSM restarts: all sessions and the login are gone.
void lose_all_sessions() {
  void* const module = ::dlopen(SoftHsm::kModule, RTLD_NOW);
  ASSERT_NE(module, nullptr);
  const auto get = reinterpret_cast<CK_C_GetFunctionList>(::dlsym(module, "C_GetFunctionList"));
  CK_FUNCTION_LIST* functions = nullptr;
  ASSERT_EQ(get(&functions), CKR_OK);
  CK_ULONG count = 10;
  std::array<CK_SLOT_ID, 10> slots{};
  ASSERT_EQ(functions->C_GetSlotList(CK_TRUE, slots.data(), &count), CKR_OK);
  for (CK_ULONG i = 0; i < count; ++i)
    functions->C_CloseAllSessions(slots.at(i));
  ::dlclose(module);
}

TEST(Token, WhoseSessionsAreLostIsOpenedAgain) {
  IMPRINT_NEED_SOFTHSM();
  const TokenCa ca;
  const auto authority = ca.open_faulty();
  ASSERT_THAT(authority, IsOk());
  const auto first = authority->signer().clone().value();
  const auto second = authority->signer().clone().value();
  ASSERT_NO_FATAL_FAILURE(lose_all_sessions());
  for (crypto::Signer* const signer : {first.get(), second.get(), first.get()}) {
    const auto signature = sign(*signer);
    ASSERT_THAT(signature, IsOk());
    EXPECT_TRUE(is_right(*authority, *signature));
  }
  EXPECT_EQ(ca.logins(), "1 4\n1 4\n") << "logged in again, once for both";
}

TEST(Token, ServesSeveralThreads) {
  IMPRINT_NEED_SOFTHSM();
  const TokenCa ca;
  const auto authority = ca.open_faulty();
  ASSERT_THAT(authority, IsOk());
  std::atomic<int> good = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, signer = authority->signer().clone().value()] {
        for (int i = 0; i < 100; ++i) {
          const auto signature = sign(*signer);
          good += signature && is_right(*authority, *signature) ? 1 : 0;
        }
      });
    }
  }
  EXPECT_EQ(good, 400);
}

TEST(Token, WithAKeyThatWantsThePinEachTimeGetsIt) {
  IMPRINT_NEED_SOFTHSM();
  IMPRINT_NEED_COMMAND("pkcs11-tool");
  const TokenCa ca;
  ca.hsm.make_token("strict");
  const auto der = ca.folder.dir() / "key.der";
  test::openssl({"pkey", "-in", ca.folder.key(), "-outform", "DER", "-out", der});
  const auto written =
      test::run_command({"pkcs11-tool", "--module", SoftHsm::kModule, "--token-label", "strict",
                         "--login", "--pin", SoftHsm::kPin, "--write-object", der, "--type",
                         "privkey", "--label", "k", "--id", "07", "--usage-sign", "--always-auth"});
  ASSERT_EQ(written.status, 0) << written.err;
  set_environment("FAULTY_TOKEN_LOG", (ca.folder.dir() / "logins").c_str());
  const auto authority =
      ca.open(std::string("pkcs11:token=strict?module-path=") + IMPRINT_FAULTY_TOKEN);
  ASSERT_THAT(authority, IsOk());
  const std::string before = ca.logins();
  EXPECT_THAT(before, testing::StartsWith("1 4\n2 4\n"));
  const auto signer = authority->signer().clone().value();
  ASSERT_THAT(sign(*signer), IsOk());
  ASSERT_THAT(sign(*signer), IsOk());
  EXPECT_EQ(ca.logins(), before + "2 4\n2 4\n");
}

}  // namespace
}  // namespace imprint::authority
