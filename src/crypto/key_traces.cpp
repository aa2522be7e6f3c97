// How to find a key whose copy may be anywhere and in any form, by searching for fixed strings.
// What all forms have in common are the secret numbers, so these are what is looked for, not whole
// files: SEC1, PKCS#1, PKCS#8, OpenSSH's own form, a JWK and a core dump hold the same scalar.
//
// - Base64 turns three bytes into four characters, so a number looks one of three ways, after how
//   many bytes precede it modulo three. At either end there may be a character that also has bits
//   of a neighbour; it is left out.
// - A break (a line end, "\n" in JSON, a block that is continued elsewhere) is survived by cutting
//   the text into pieces that do not overlap: one break spoils one piece. A P-256 scalar has 42
//   characters of base64, which a line end and a block's end may both fall into: three pieces.
// - RSA numbers are long and all of them stand in each file: the first 32 bytes of each are enough,
//   and keep a set for 10,000 keys small.
//
// A piece has 72 bits or more. In 2^40 bytes of random data one of 2^20 pieces would turn up with a
// chance of 1 in 4,000. Numbers that are not random (test keys with a scalar of 1) would turn up
// all the time: pieces with few different bytes are left out.

#include "imprint/crypto/key_traces.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <bitset>
#include <iterator>
#include <utility>

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "native.hpp"
#include "pem.hpp"

namespace imprint::crypto {
namespace {

constexpr std::size_t kLargestNumber = 512;  // d of RSA 4096
constexpr std::size_t kHeadOfRsaNumber = 32;

// Length of pieces: 96 bits, 72 bits, 80 bits, 72 bits.
constexpr std::size_t kNumberPiece = 12;
constexpr std::size_t kBase64Piece = 12;
constexpr std::size_t kHexPiece = 20;
constexpr std::size_t kColonPiece = 26;

// Of twelve random characters of base64 five or fewer differ with a chance of 1 in 2 million, and a
// key has many pieces.
constexpr std::size_t kLeastDistinct = 6;

constexpr std::array<std::string_view, 6> kMarks = {
    "-----BEGIN PRIVATE KEY-----",           "-----BEGIN EC PRIVATE KEY-----",
    "-----BEGIN RSA PRIVATE KEY-----",       "-----BEGIN DSA PRIVATE KEY-----",
    "-----BEGIN ENCRYPTED PRIVATE KEY-----", "-----BEGIN OPENSSH PRIVATE KEY-----"};

[[nodiscard]] bool looks_random(ByteView piece) noexcept {
  std::bitset<256> seen;
  for (const std::byte byte : piece)
    seen.set(std::to_integer<std::size_t>(byte));
  return seen.count() >= kLeastDistinct;
}

[[nodiscard]] ByteView without_leading_zeros(ByteView number) noexcept {
  const auto first =
      std::ranges::find_if(number, [](std::byte byte) { return byte != std::byte{0}; });
  return number.last(static_cast<std::size_t>(number.end() - first));
}

/// Big-endian, with leading zeros. Into our own memory: EVP_PKEY_get_bn_param of OpenSSL 3.0 leaves
/// the number on the stack.
Result<SecretBytes> number_of(const EVP_PKEY* key, const char* parameter) {
  SecretBytes number(kLargestNumber);
  std::array<OSSL_PARAM, 2> wanted{
      OSSL_PARAM_construct_BN(parameter, octets(number.mutable_view()), number.size()),
      OSSL_PARAM_construct_end()};
  const CleanErrorQueue errors;
  if (EVP_PKEY_get_params(key, wanted.data()) != 1 || OSSL_PARAM_modified(wanted.data()) != 1)
    return fail(openssl_error(Code::crypto, "reading the numbers of a private key"));
  if constexpr (std::endian::native == std::endian::little)
    std::ranges::reverse(number.mutable_view());
  return number;
}

Result<std::vector<SecretBytes>> rsa_numbers(const EVP_PKEY* key) {
  std::vector<SecretBytes> numbers;
  for (const char* parameter : {OSSL_PKEY_PARAM_RSA_D, OSSL_PKEY_PARAM_RSA_FACTOR1,
                                OSSL_PKEY_PARAM_RSA_FACTOR2, OSSL_PKEY_PARAM_RSA_EXPONENT1,
                                OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1}) {
    const SecretBytes whole = IMPRINT_TRY(number_of(key, parameter));
    const ByteView digits = without_leading_zeros(whole.view());
    numbers.emplace_back(digits.first(std::min(digits.size(), kHeadOfRsaNumber)));
  }
  return numbers;
}

Result<std::vector<SecretBytes>> secret_numbers(const PrivateKey& key) {
  const KeyKind kind = IMPRINT_TRY(key.kind());
  if (name(kind).starts_with("rsa:")) return rsa_numbers(native_of(key));
  std::vector<SecretBytes> numbers;
  if (kind != KeyKind::ed25519) {
    numbers.push_back(IMPRINT_TRY(number_of(native_of(key), OSSL_PKEY_PARAM_PRIV_KEY)));
    return numbers;
  }
  SecretBytes seed(32);
  std::size_t size = seed.size();
  const CleanErrorQueue errors;
  if (EVP_PKEY_get_raw_private_key(native_of(key), octets(seed.mutable_view()), &size) != 1)
    return fail(openssl_error(Code::crypto, "reading the seed of a private key"));
  numbers.push_back(std::move(seed));
  return numbers;
}

/// Two digits a byte, of this alphabet and with `between` (if any) between bytes.
[[nodiscard]] SecretBytes hex(ByteView number, std::string_view digits, std::string_view between) {
  SecretBytes text;
  for (const std::byte byte : number) {
    if (!text.empty()) text.append(bytes_of(between));
    const auto value = std::to_integer<std::size_t>(byte);
    text.append(bytes_of(digits.substr(value >> 4U, 1)));
    text.append(bytes_of(digits.substr(value & 15U, 1)));
  }
  return text;
}

}  // namespace

std::string_view name(TraceForm form) noexcept {
  switch (form) {
    case TraceForm::number:
      return "the number itself";
    case TraceForm::reversed:
      return "the number backwards";
    case TraceForm::base64:
      return "base64";
    case TraceForm::hex:
      return "hex";
  }
  return {};
}

std::span<const std::string_view> private_key_marks() noexcept {
  return kMarks;
}

Result<KeyTraces> KeyTraces::of(const PrivateKey& key) {
  KeyTraces traces;
  const std::vector<SecretBytes> numbers = IMPRINT_TRY(secret_numbers(key));
  for (const SecretBytes& number : numbers)
    traces.add_number(without_leading_zeros(number.view()));
  return traces;
}

KeyTrace KeyTraces::operator[](std::size_t index) const noexcept {
  const Place& place = places_[index];
  return {.bytes = bytes_.view().subspan(place.offset, place.size), .form = place.form};
}

void KeyTraces::add(ByteView piece, TraceForm form) {
  if (!looks_random(piece)) return;
  places_.push_back({.offset = bytes_.size(), .size = piece.size(), .form = form});
  bytes_.append(piece);
}

/// As many pieces of at least `length` as fit beside each other; when `count` are more than these,
/// `count` pieces of `length` that overlap.
void KeyTraces::add_pieces(ByteView text, std::size_t length, std::size_t count, TraceForm form) {
  const std::size_t fitting = text.size() / length;
  if (fitting == 0) return;
  for (std::size_t i = 0; fitting < count && i < count; ++i)
    add(text.subspan(i * (text.size() - length) / (count - 1), length), form);
  for (std::size_t i = 0; fitting >= count && i < fitting; ++i) {
    const std::size_t begin = i * text.size() / fitting;
    add(text.subspan(begin, (i + 1) * text.size() / fitting - begin), form);
  }
}

void KeyTraces::add_number(ByteView number) {
  add_pieces(number, kNumberPiece, 0, TraceForm::number);
  // As the big-number libraries of little-endian machines hold it: in a core dump, in swap.
  SecretBytes reversed(number);
  std::ranges::reverse(reversed.mutable_view());
  add_pieces(reversed.view(), kNumberPiece, 0, TraceForm::reversed);
  add_base64(number);
  add_hex(number);
}

void KeyTraces::add_base64(ByteView number) {
  for (std::size_t before = 0; before < 3; ++before) {
    SecretBytes octets_before(before);
    octets_before.append(number);
    SecretBytes text((octets_before.size() + 2) / 3 * 4);
    put_base64(reinterpret_cast<char*>(text.data()), octets_before.view());
    const std::size_t begin = (before * 8 + 5) / 6;
    const std::size_t end = octets_before.size() * 8 / 6;
    const ByteView own = text.view().subspan(begin, end - begin);
    add_pieces(own, kBase64Piece, 0, TraceForm::base64);
  }
}

void KeyTraces::add_hex(ByteView number) {
  constexpr std::string_view kLower = "0123456789abcdef";
  constexpr std::string_view kUpper = "0123456789ABCDEF";
  for (const std::string_view digits : {kLower, kUpper}) {
    const SecretBytes text = hex(number, digits, "");
    add_pieces(text.view(), kHexPiece, 0, TraceForm::hex);
  }
  // As openssl and certtool print it, 15 or 16 bytes a line.
  const SecretBytes text = hex(number, kLower, ":");
  add_pieces(text.view(), kColonPiece, 4, TraceForm::hex);
}

}  // namespace imprint::crypto
