// A random number generator that fails, or repeats itself. OpenSSL lets a program put another in
// its place: nothing of ours is needed for it.

#include <openssl/rand.h>

#include "oracles.hpp"

// The interface is deprecated for what it is used for here: to replace the generator.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace imprint::crypto {
namespace {

using test::FailsWith;
using test::IsOk;

constexpr int kSerialBytes = 16;

int fail_always(unsigned char* /*into*/, int /*size*/) {
  return 0;
}

int fail_serials(unsigned char* into, int size) {
  return size == kSerialBytes ? 0 : RAND_OpenSSL()->bytes(into, size);
}

int present() {
  return 1;
}

/// Another generator while it lives.
class Generator {
 public:
  explicit Generator(int (*bytes)(unsigned char*, int))
      : method_{nullptr, bytes, nullptr, nullptr, bytes, present} {
    EXPECT_EQ(RAND_set_rand_method(&method_), 1);
  }

  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;

  ~Generator() { RAND_set_rand_method(nullptr); }

 private:
  RAND_METHOD method_;
};

class FailingGenerator : public testing::Test {
 protected:
  Result<> mint() { return minter_.mint(slots_, identity_); }

  test::TestCa ca_ = test::make_ca(KeyKind::ec_p256);
  std::shared_ptr<const Profile> profile_ =
      Profile::compile(test::plain_spec(), ca_.certificate, ca_.signer->algorithm()).value();
  Minter minter_ = Minter::create(profile_, ca_.certificate, *ca_.signer).value();
  Identity identity_;
  std::vector<std::string_view> slots_ = {"unit-1", "unit-1.example.com"};
};

TEST_F(FailingGenerator, MakesNoKey) {
  ASSERT_THAT(mint(), IsOk());
  {
    const Generator generator(fail_always);
    EXPECT_THAT(mint(), FailsWith(Code::crypto, "generating a key"));
    EXPECT_THAT(PrivateKey::generate(KeyKind::ec_p256),
                FailsWith(Code::crypto, "generating a key"));
    EXPECT_THAT(PrivateKey::generate(KeyKind::rsa_2048),
                FailsWith(Code::crypto, "generating a key"));
    EXPECT_THAT(PrivateKey::generate(KeyKind::ed25519),
                FailsWith(Code::crypto, "generating a key"));
  }
  EXPECT_THAT(mint(), IsOk()) << "and works again with one that works";
}

TEST_F(FailingGenerator, MakesNoSerial) {
  const Generator generator(fail_serials);
  EXPECT_THAT(mint(), FailsWith(Code::crypto, "making a serial number"));
}

TEST_F(FailingGenerator, MakesNoCa) {
  const PrivateKey key = PrivateKey::generate(KeyKind::ec_p256).value();
  CaSpec spec;
  spec.subject = {{NameField::common_name, "CA"}};
  spec.not_before = test::kNow;
  spec.not_after = test::kNow + test::kDay;
  const Generator generator(fail_serials);
  EXPECT_THAT(make_ca_certificate(spec, key), FailsWith(Code::crypto, "making a serial number"));
}

}  // namespace
}  // namespace imprint::crypto
