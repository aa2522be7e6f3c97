#include "key_sizes.hpp"

#include "der.hpp"

namespace imprint::crypto {

namespace {

using der::element_size;

KeySizes rsa_sizes(std::size_t modulus_bytes) noexcept {
  constexpr std::size_t kAlgorithm = 15;  // rsaEncryption, NULL
  constexpr std::size_t kExponent = 5;    // 65537
  // The modulus has its top bit set and so a leading 00, which the others may have.
  const std::size_t whole = element_size(modulus_bytes + 1);
  const std::size_t half = element_size(modulus_bytes / 2 + 1);
  const std::size_t key = element_size(3 + whole + kExponent + whole + 5 * half);
  const std::size_t bits = element_size(1 + element_size(whole + kExponent));
  return {element_size(3 + kAlgorithm + element_size(key)), element_size(kAlgorithm + bits)};
}

KeySizes ec_sizes(std::size_t scalar_bytes, std::size_t curve_oid_bytes) noexcept {
  const std::size_t algorithm = element_size(9 + curve_oid_bytes);  // id-ecPublicKey, curve
  const std::size_t bits = element_size(1 + 1 + 2 * scalar_bytes);
  const std::size_t key = element_size(3 + element_size(scalar_bytes) + element_size(bits));
  return {element_size(3 + algorithm + element_size(key)), element_size(algorithm + bits)};
}

}  // namespace

KeySizes max_key_sizes(KeyKind kind) noexcept {
  switch (kind) {
    case KeyKind::ec_p256:
      return ec_sizes(32, 10);
    case KeyKind::ec_p384:
      return ec_sizes(48, 7);
    case KeyKind::ec_p521:
      return ec_sizes(66, 7);
    case KeyKind::rsa_2048:
      return rsa_sizes(256);
    case KeyKind::rsa_3072:
      return rsa_sizes(384);
    case KeyKind::rsa_4096:
      return rsa_sizes(512);
    case KeyKind::ed25519:
      return {48, 44};
  }
  return {};
}

}  // namespace imprint::crypto
