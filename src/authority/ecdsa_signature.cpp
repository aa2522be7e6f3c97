#include "ecdsa_signature.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace imprint::authority {

namespace {

using crypto::SignatureAlgorithm;
using namespace std::string_view_literals;

// The orders of the curves' groups, FIPS 186-4 D.1.2.
constexpr std::string_view kOrder256 =
    "\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff"
    "\xbc\xe6\xfa\xad\xa7\x17\x9e\x84\xf3\xb9\xca\xc2\xfc\x63\x25\x51"sv;
constexpr std::string_view kOrder384 =
    "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
    "\xff\xff\xff\xff\xff\xff\xff\xff\xc7\x63\x4d\x81\xf4\x37\x2d\xdf"
    "\x58\x1a\x0d\xb2\x48\xb0\xa7\x7a\xec\xec\x19\x6a\xcc\xc5\x29\x73"sv;
constexpr std::string_view kOrder521 =
    "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
    "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
    "\xff\xfa\x51\x86\x87\x83\xbf\x2f\x96\x6b\x7f\xcc\x01\x48\xf7\x09"
    "\xa5\xd0\x3b\xb5\xc9\xb8\x89\x9c\x47\xae\xbb\x6f\xb7\x1e\x91\x38"
    "\x64\x09"sv;

ByteView order_of(SignatureAlgorithm algorithm) {
  switch (algorithm) {
    case SignatureAlgorithm::ecdsa_sha384:
      return bytes_of(kOrder384);
    case SignatureAlgorithm::ecdsa_sha512:
      return bytes_of(kOrder521);
    default:
      return bytes_of(kOrder256);
  }
}

ByteView without_leading_zeros(ByteView number) {
  const auto first = std::ranges::find_if(number, [](std::byte b) { return b != std::byte{0}; });
  return number.subspan(static_cast<std::size_t>(first - number.begin()));
}

/// An INTEGER is signed: a number whose top bit is set gets a zero octet in front.
std::size_t content_size(ByteView number) {
  return number.size() + ((number.front() & std::byte{0x80}) != std::byte{0} ? 1 : 0);
}

std::byte* put_integer(std::byte* at, ByteView number) {
  const std::size_t size = content_size(number);
  *at++ = std::byte{0x02};
  *at++ = static_cast<std::byte>(size);
  if (size > number.size()) *at++ = std::byte{0};
  return std::ranges::copy(number, at).out;
}

}  // namespace

Result<std::size_t> encode_ecdsa_signature(SignatureAlgorithm algorithm, ByteView r_and_s,
                                           MutableBytes der) {
  const ByteView order = order_of(algorithm);
  if (r_and_s.size() != 2 * order.size()) {
    return fail(Code::crypto,
                fmt::format("the token gave a signature of {} bytes where {} has {}",
                            r_and_s.size(), crypto::name(algorithm), 2 * order.size()));
  }
  for (const ByteView part : {r_and_s.first(order.size()), r_and_s.last(order.size())}) {
    const bool below = std::ranges::lexicographical_compare(part, order);
    if (!below || without_leading_zeros(part).empty()) {
      return fail(Code::crypto,
                  "the token gave a signature that cannot be: a part is 0 or beyond the curve");
    }
  }
  const ByteView r = without_leading_zeros(r_and_s.first(order.size()));
  const ByteView s = without_leading_zeros(r_and_s.last(order.size()));
  const std::size_t content = 4 + content_size(r) + content_size(s);
  const std::size_t header = content < 0x80 ? 2 : 3;  // P-521 takes the long form of a length
  if (der.size() < header + content) return fail(Code::internal, "no room for a signature");
  std::byte* at = der.data();
  *at++ = std::byte{0x30};
  if (header == 3) *at++ = std::byte{0x81};
  *at++ = static_cast<std::byte>(content);
  put_integer(put_integer(at, r), s);
  return header + content;
}

}  // namespace imprint::authority
