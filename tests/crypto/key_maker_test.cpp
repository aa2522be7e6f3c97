#include "key_maker.hpp"

#include <openssl/ec.h>

#include "der.hpp"
#include "native.hpp"
#include "oracles.hpp"
#include "pem.hpp"

namespace imprint::crypto {
namespace {

using test::IsOk;
using test::openssl;

constexpr std::array kFixedKinds = {KeyKind::ec_p256, KeyKind::ec_p384, KeyKind::ec_p521,
                                    KeyKind::ed25519};

std::string pem_of(const KeyMaker& maker) {
  std::string pem(pem_size(kPemPrivateKey, maker.pkcs8().size()), '?');
  write_pem(kPemPrivateKey, maker.pkcs8(), std::as_writable_bytes(std::span(pem)));
  return pem;
}

/// EC key with this private number, by way of SEC1 DER without a public part, which OpenSSL then
/// computes.
KeyPtr ec_key(std::string_view curve_oid, const Bytes& private_number) {
  Bytes scalar(der::header_size(private_number.size()));
  der::write_header(scalar.data(), der::kOctetString, private_number.size());
  scalar.insert(scalar.end(), private_number.begin(), private_number.end());
  Bytes content = {std::byte{2}, std::byte{1}, std::byte{1}};
  content.insert(content.end(), scalar.begin(), scalar.end());
  content.push_back(std::byte{0xa0});
  content.push_back(static_cast<std::byte>(curve_oid.size()));
  const ByteView oid = bytes_of(curve_oid);
  content.insert(content.end(), oid.begin(), oid.end());
  Bytes whole(der::header_size(content.size()));
  der::write_header(whole.data(), der::kSequence, content.size());
  whole.insert(whole.end(), content.begin(), content.end());
  const unsigned char* at = octets(ByteView(whole));
  return KeyPtr(d2i_PrivateKey(EVP_PKEY_EC, nullptr, &at, static_cast<long>(whole.size())));
}

TEST(KeyMaker, WritesWhatOpensslWrites) {
  for (const KeyKind kind : kFixedKinds) {
    auto maker = KeyMaker::create(nullptr, kind);
    ASSERT_THAT(maker, IsOk());
    std::string last;
    for (int i = 0; i < 20; ++i) {
      ASSERT_THAT(maker->generate(), IsOk());
      const std::string pem = pem_of(*maker);
      EXPECT_NE(pem, last);
      last = pem;
      ASSERT_EQ(openssl({"pkey"}, pem), pem) << name(kind);
      ASSERT_EQ(openssl({"pkey", "-pubout", "-outform", "DER"}, pem),
                text_of(maker->public_key_info()));
    }
    openssl({"pkey", "-check", "-noout"}, last);
  }
}

TEST(KeyMaker, EncodesRsaThroughOpenssl) {
  auto maker = KeyMaker::create(nullptr, KeyKind::rsa_2048);
  ASSERT_THAT(maker, IsOk());
  ASSERT_THAT(maker->generate(), IsOk());
  const std::string pem = pem_of(*maker);
  EXPECT_EQ(openssl({"pkey"}, pem), pem);
  EXPECT_EQ(openssl({"pkey", "-pubout", "-outform", "DER"}, pem),
            text_of(maker->public_key_info()));
}

// One random key in 256 has a leading zero byte, which an encoder that forgets to pad gets wrong.
TEST(KeyMaker, PadsSmallPrivateNumbers) {
  struct Curve {
    KeyKind kind;
    std::string oid;
    std::size_t size;
  };

  using namespace std::string_literals;
  const std::array<Curve, 3> curves = {
      {{KeyKind::ec_p256, "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"s, 32},
       {KeyKind::ec_p384, "\x06\x05\x2b\x81\x04\x00\x22"s, 48},
       {KeyKind::ec_p521, "\x06\x05\x2b\x81\x04\x00\x23"s, 66}}};
  for (const Curve& curve : curves) {
    auto maker = KeyMaker::create(nullptr, curve.kind);
    ASSERT_THAT(maker, IsOk());
    for (std::size_t zeros = 1; zeros < curve.size; zeros += 7) {
      Bytes number(curve.size, std::byte{0x5a});
      std::fill_n(number.begin(), zeros, std::byte{0});
      KeyPtr key = ec_key(curve.oid, number);
      ASSERT_NE(key, nullptr);
      ASSERT_THAT(maker->take(std::move(key)), IsOk());
      const std::string pem = pem_of(*maker);
      EXPECT_EQ(openssl({"pkey"}, pem), pem)
          << name(curve.kind) << ", leading zero bytes: " << zeros;
      EXPECT_NE(to_hex(maker->pkcs8()).find(to_hex(number)), std::string::npos);
    }
  }
}

TEST(KeyMaker, KnowsTheBitsThatAKeyIdentifierDigests) {
  for (const KeyKind kind : {KeyKind::ec_p256, KeyKind::rsa_2048, KeyKind::ed25519}) {
    auto maker = KeyMaker::create(nullptr, kind);
    ASSERT_THAT(maker, IsOk());
    ASSERT_THAT(maker->generate(), IsOk());
    const ByteView bits = maker->public_bits();
    const std::string_view info = text_of(maker->public_key_info());
    EXPECT_TRUE(info.ends_with(text_of(bits)));
    EXPECT_EQ(info[info.size() - bits.size() - 1], '\0') << "the unused-bits octet is left out";
  }
}

}  // namespace
}  // namespace imprint::crypto
