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
//   of two in the rarer forms, which keeps a set for 10,000 keys small.
// - PEM text in JSON or YAML is often base64 once more. The characters of a piece are then what a
//   number is else.
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
constexpr std::size_t kNumbersInRareForms = 2;

/// How a text is cut: pieces of at least `length`, at least `count` of them.
struct Cut {
  std::size_t length;
  std::size_t count;
};

// Pieces are of 15 bytes or more, which a search takes fastest: 120 bits, 90, 72, 80
// and 72. Base64 of base64 is in three breaks: the two texts' line ends and a block's end.
constexpr Cut kNumberCut{.length = 15, .count = 2};
constexpr Cut kBase64Cut{.length = 15, .count = 3};
constexpr Cut kBase64TwiceCut{.length = 12, .count = 4};
constexpr Cut kHexCut{.length = 20, .count = 3};
constexpr Cut kColonCut{.length = 26, .count = 4};

// Of 20 random hex digits five or fewer differ with a chance of 1 in 3 million, and a key has many
// pieces.
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

/// The characters of a text's base64 that have bits of this text only, when `before` other bytes
/// stand in front of its first (modulo three).
[[nodiscard]] SecretBytes base64_of(ByteView bytes, std::size_t before) {
  SecretBytes octets_before(before);
  octets_before.append(bytes);
  SecretBytes text((octets_before.size() + 2) / 3 * 4);
  put_base64(reinterpret_cast<char*>(text.data()), octets_before.view());
  const std::size_t begin = (before * 8 + 5) / 6;
  const std::size_t end = octets_before.size() * 8 / 6;
  return SecretBytes(text.view().subspan(begin, end - begin));
}

/// With the two characters that base64url has instead.
[[nodiscard]] SecretBytes for_urls(ByteView base64) {
  SecretBytes text(base64);
  std::ranges::replace(text.mutable_view(), std::byte{'+'}, std::byte{'-'});
  std::ranges::replace(text.mutable_view(), std::byte{'/'}, std::byte{'_'});
  return text;
}

/// Where a text of this size is cut: as many pieces as fit beside each other or, when these are too
/// few, pieces that overlap.
[[nodiscard]] std::vector<std::pair<std::size_t, std::size_t>> pieces(std::size_t size, Cut cut) {
  std::vector<std::pair<std::size_t, std::size_t>> found;
  const std::size_t fitting = size / cut.length;
  if (fitting == 0) return found;
  for (std::size_t i = 0; fitting >= cut.count && i < fitting; ++i) {
    const std::size_t begin = i * size / fitting;
    found.emplace_back(begin, (i + 1) * size / fitting - begin);
  }
  for (std::size_t i = 0; fitting < cut.count && i < cut.count; ++i)
    found.emplace_back(i * (size - cut.length) / (cut.count - 1), cut.length);
  return found;
}

}  // namespace

class KeyTraces::Collector {
 public:
  explicit Collector(KeyTraces& into) : into_(into) {}

  void add_common_forms(ByteView number) {
    add_pieces(number, kNumberCut, TraceForm::number);
    // As the big-number libraries of little-endian machines hold it: in a core dump, in swap.
    SecretBytes reversed(number);
    std::ranges::reverse(reversed.mutable_view());
    add_pieces(reversed.view(), kNumberCut, TraceForm::reversed);
    for (std::size_t before = 0; before < 3; ++before) {
      const SecretBytes text = base64_of(number, before);
      const SecretBytes url = for_urls(text.view());
      for (const auto& [begin, size] : pieces(text.size(), kBase64Cut)) {
        const ByteView piece = text.view().subspan(begin, size);
        const ByteView url_piece = url.view().subspan(begin, size);
        add(piece, TraceForm::base64);
        if (!std::ranges::equal(piece, url_piece)) add(url_piece, TraceForm::base64);
      }
    }
  }

  void add_rare_forms(ByteView number) {
    constexpr std::string_view kLower = "0123456789abcdef";
    constexpr std::string_view kUpper = "0123456789ABCDEF";
    for (const std::string_view digits : {kLower, kUpper})
      add_pieces(hex(number, digits, "").view(), kHexCut, TraceForm::hex);
    // As openssl and certtool print it, 15 or 16 bytes a line.
    add_pieces(hex(number, kLower, ":").view(), kColonCut, TraceForm::hex);
    for (std::size_t before = 0; before < 3; ++before)
      add_base64_of_base64(base64_of(number, before).view());
  }

 private:
  void add_base64_of_base64(ByteView text) {
    for (const auto& [begin, size] : pieces(text.size(), kBase64TwiceCut)) {
      const ByteView piece = text.subspan(begin, size);
      if (!looks_random(piece)) continue;
      for (std::size_t before = 0; before < 3; ++before)
        add(base64_of(piece, before).view(), TraceForm::base64_twice);
    }
  }

  void add_pieces(ByteView text, Cut cut, TraceForm form) {
    for (const auto& [begin, size] : pieces(text.size(), cut))
      add(text.subspan(begin, size), form);
  }

  void add(ByteView piece, TraceForm form) {
    if (!looks_random(piece)) return;
    into_.places_.push_back({.offset = into_.bytes_.size(), .size = piece.size(), .form = form});
    into_.bytes_.append(piece);
  }

  KeyTraces& into_;
};

std::string_view name(TraceForm form) noexcept {
  switch (form) {
    case TraceForm::number:
      return "the number itself";
    case TraceForm::reversed:
      return "the number backwards";
    case TraceForm::base64:
      return "base64";
    case TraceForm::base64_twice:
      return "base64 of base64";
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
  Collector collector(traces);
  const std::vector<SecretBytes> numbers = IMPRINT_TRY(secret_numbers(key));
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const ByteView number = without_leading_zeros(numbers[i].view());
    collector.add_common_forms(number);
    if (i < kNumbersInRareForms) collector.add_rare_forms(number);
  }
  return traces;
}

KeyTrace KeyTraces::operator[](std::size_t index) const noexcept {
  const Place& place = places_[index];
  return {.bytes = bytes_.view().subspan(place.offset, place.size), .form = place.form};
}

}  // namespace imprint::crypto
