// PEM, written here and read by OpenSSL. Writing is ours because PEM_write_bio_* of OpenSSL 3.0
// goes through the provider encoders (60 µs a private key, and slower with every further thread);
// base64 itself takes a quarter of a microsecond.

#include "pem.hpp"

#include <array>
#include <cstring>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "openssl.hpp"

namespace imprint::crypto {

namespace {

constexpr std::string_view kBegin = "-----BEGIN ";
constexpr std::string_view kEnd = "-----END ";
constexpr std::string_view kRule = "-----\n";

// One cache line, so that which entry is read for key bytes does not show in which line is touched.
alignas(64) constexpr std::array<char, 65> kAlphabet = {
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"};

char* put(char* at, std::string_view text) noexcept {
  std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

}  // namespace

char* put_base64(char* at, ByteView octets) noexcept {
  std::size_t i = 0;
  for (; i + 3 <= octets.size(); i += 3) {
    const unsigned bits = std::to_integer<unsigned>(octets[i]) << 16 |
                          std::to_integer<unsigned>(octets[i + 1]) << 8 |
                          std::to_integer<unsigned>(octets[i + 2]);
    *at++ = kAlphabet[bits >> 18];
    *at++ = kAlphabet[bits >> 12 & 63];
    *at++ = kAlphabet[bits >> 6 & 63];
    *at++ = kAlphabet[bits & 63];
  }
  const std::size_t rest = octets.size() - i;
  if (rest == 0) return at;
  unsigned bits = std::to_integer<unsigned>(octets[i]) << 16;
  if (rest == 2) bits |= std::to_integer<unsigned>(octets[i + 1]) << 8;
  *at++ = kAlphabet[bits >> 18];
  *at++ = kAlphabet[bits >> 12 & 63];
  *at++ = rest == 2 ? kAlphabet[bits >> 6 & 63] : '=';
  *at++ = '=';
  return at;
}

std::size_t pem_size(std::string_view label, std::size_t der_bytes) noexcept {
  const std::size_t frame = kBegin.size() + kEnd.size() + 2 * (label.size() + kRule.size());
  const std::size_t characters = (der_bytes + 2) / 3 * 4;
  const std::size_t lines = (der_bytes + kPemLineOctets - 1) / kPemLineOctets;
  return frame + characters + lines;
}

void write_pem(std::string_view label, ByteView der, MutableBytes into) noexcept {
  char* at = reinterpret_cast<char*>(into.data());
  at = put(put(put(at, kBegin), label), kRule);
  for (ByteView rest = der; !rest.empty();) {
    const ByteView line = rest.first(std::min(rest.size(), kPemLineOctets));
    at = put_base64(at, line);
    *at++ = '\n';
    rest = rest.subspan(line.size());
  }
  put(put(put(at, kEnd), label), kRule);
}

Result<> for_each_pem_object(ByteView pem, const std::function<bool(PemObject)>& visit) {
  const CleanErrorQueue errors;
  const BioPtr source = memory_source(pem);
  if (source == nullptr) return fail(openssl_error(Code::crypto, "reading PEM"));
  for (;;) {
    char* label = nullptr;
    char* header = nullptr;
    unsigned char* data = nullptr;
    long size = 0;
    if (PEM_read_bio_ex(source.get(), &label, &header, &data, &size, PEM_FLAG_SECURE) != 1) {
      if (ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE) return {};
      return fail(openssl_error(Code::corrupt, "damaged PEM"));
    }
    PemObject object{label, header, SecretBytes(view_of(data, static_cast<std::size_t>(size)))};
    // The three were made by PEM_FLAG_SECURE and go back the same way.
    OPENSSL_secure_free(label);
    OPENSSL_secure_free(header);
    OPENSSL_secure_clear_free(data, static_cast<std::size_t>(size));
    if (!visit(std::move(object))) return {};
  }
}

}  // namespace imprint::crypto
