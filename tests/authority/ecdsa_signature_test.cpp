#include "ecdsa_signature.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "folder.hpp"

namespace imprint::authority {
namespace {

using crypto::SignatureAlgorithm;
using test::FailsWith;
using test::IsOk;
using test::openssl;

struct Curve {
  const char* name;
  SignatureAlgorithm algorithm;
  std::size_t bytes;
};

constexpr Curve kCurves[] = {{"P-256", SignatureAlgorithm::ecdsa_sha256, 32},
                             {"P-384", SignatureAlgorithm::ecdsa_sha384, 48},
                             {"P-521", SignatureAlgorithm::ecdsa_sha512, 66}};

/// `value` as a big-endian number of this size.
Bytes number(std::size_t size, std::initializer_list<unsigned char> value) {
  Bytes bytes(size);
  auto at = bytes.end() - static_cast<std::ptrdiff_t>(value.size());
  for (const unsigned char octet : value)
    *at++ = static_cast<std::byte>(octet);
  return bytes;
}

Bytes both(Bytes r, const Bytes& s) {
  r.insert(r.end(), s.begin(), s.end());
  return r;
}

Result<std::string> encoded(SignatureAlgorithm algorithm, const Bytes& raw) {
  Bytes der(160);
  der.resize(IMPRINT_TRY(encode_ecdsa_signature(algorithm, raw, der)));
  return to_hex(der);
}

/// The order of the curve's group, as openssl prints it.
Bytes order(const Curve& curve) {
  const std::string text = openssl({"ecparam", "-name", curve.name, "-param_enc", "explicit",
                                    "-conv_form", "compressed", "-text", "-noout"});
  const std::size_t start = text.find("Order:") + 6;
  std::string digits;
  for (const char c : text.substr(start, text.find("Cofactor") - start))
    if (std::isxdigit(static_cast<unsigned char>(c)) != 0) digits += c;
  if (digits.size() % 2 == 1) digits.insert(0, "0");
  Bytes bytes;
  for (std::size_t i = 0; i < digits.size(); i += 2)
    bytes.push_back(static_cast<std::byte>(std::stoul(digits.substr(i, 2), nullptr, 16)));
  bytes.erase(bytes.begin(), bytes.end() - static_cast<std::ptrdiff_t>(curve.bytes));
  return bytes;
}

TEST(EcdsaSignature, HasTheShortestIntegers) {
  const auto encode = [](std::initializer_list<unsigned char> r,
                         std::initializer_list<unsigned char> s) {
    return encoded(SignatureAlgorithm::ecdsa_sha256, both(number(32, r), number(32, s))).value();
  };
  EXPECT_EQ(encode({1}, {2}), "3006020101020102");
  EXPECT_EQ(encode({0x7f}, {0x80}), "300702017f02020080");
  EXPECT_EQ(encode({0x01, 0x00}, {0xff, 0x00}),
            "3009020201000203"
            "00ff00");
}

TEST(EcdsaSignature, IsReadByOpenssl) {
  for (const Curve& curve : kCurves) {
    Bytes largest = order(curve);
    largest.back() ^= std::byte{1};  // the orders are odd: one less
    const imprint::test::TempDir dir;
    Bytes der(160);
    const auto size =
        encode_ecdsa_signature(curve.algorithm, both(largest, number(curve.bytes, {5})), der);
    ASSERT_THAT(size, IsOk()) << curve.name;
    der.resize(*size);
    const std::string text =
        openssl({"asn1parse", "-inform", "DER", "-in", dir.write("der", text_of(der)).string()});
    std::string upper = to_hex(largest);
    upper.erase(0, upper.find_first_not_of('0'));
    std::ranges::transform(upper, upper.begin(), [](unsigned char c) { return std::toupper(c); });
    EXPECT_NE(text.find(upper), std::string::npos) << curve.name << text;
    EXPECT_NE(text.find(":05\n"), std::string::npos) << curve.name << text;
  }
}

TEST(EcdsaSignature, ThatNobodyWouldAcceptIsRefused) {
  for (const Curve& curve : kCurves) {
    const Bytes one = number(curve.bytes, {1});
    for (const Bytes& bad :
         {number(curve.bytes, {}), order(curve), Bytes(curve.bytes, std::byte{0xff})}) {
      for (const Bytes& raw : {both(one, bad), both(bad, one)}) {
        EXPECT_THAT(encoded(curve.algorithm, raw),
                    FailsWith(Code::crypto, "a part is 0 or beyond the curve"))
            << curve.name;
      }
    }
    EXPECT_THAT(encoded(curve.algorithm, Bytes(2 * curve.bytes - 1)),
                FailsWith(Code::crypto,
                          fmt::format("the token gave a signature of {} bytes where {} has {}",
                                      2 * curve.bytes - 1, crypto::name(curve.algorithm),
                                      2 * curve.bytes)));
  }
  Bytes small(7);
  EXPECT_THAT(encode_ecdsa_signature(SignatureAlgorithm::ecdsa_sha256,
                                     both(number(32, {1}), number(32, {1})), small),
              FailsWith(Code::internal, "no room"));
}

}  // namespace
}  // namespace imprint::authority
