// Key pairs and their encodings at the speed of key generation.
//
// Problem: OpenSSL 3.0's encoders cost five times as much as making a P-256 key, and more the more
// threads use them. Approach: the PKCS#8 and SubjectPublicKeyInfo of EC and Ed25519 keys have a
// fixed size and differ only where they hold the private scalar and the public point. So one sample
// key is encoded by OpenSSL, the two are found in it, and for every later key only those bytes are
// written over. An RSA encoding has no fixed size, and an RSA key takes 100 ms and more to make, so
// those go through the encoders.

#include "key_maker.hpp"

#include <algorithm>
#include <array>

#include <openssl/core_names.h>

#include "der.hpp"
#include "native.hpp"

namespace imprint::crypto {

namespace {

/// The only place of `part` in `whole`, or none.
std::optional<std::size_t> find_once(ByteView whole, ByteView part) {
  const auto found = std::search(whole.begin(), whole.end(), part.begin(), part.end());
  if (part.empty() || found == whole.end()) return std::nullopt;
  if (std::search(found + 1, whole.end(), part.begin(), part.end()) != whole.end()) {
    return std::nullopt;
  }
  return static_cast<std::size_t>(found - whole.begin());
}

}  // namespace

Result<KeyMaker> KeyMaker::create(OSSL_LIB_CTX* library, KeyKind kind) {
  KeyMaker maker(IMPRINT_TRY(make_generator(library, kind)));
  switch (kind) {
    case KeyKind::rsa_2048:
    case KeyKind::rsa_3072:
    case KeyKind::rsa_4096:
      return maker;
    default:
      IMPRINT_TRY(maker.find_layout());
      return maker;
  }
}

Result<> KeyMaker::find_layout() {
  IMPRINT_TRY(generate());
  Layout layout;
  if (EVP_PKEY_is_a(key_.get(), "EC") == 1) {
    layout.private_size = (static_cast<std::size_t>(EVP_PKEY_get_bits(key_.get())) + 7) / 8;
    layout.public_size = 2 * layout.private_size + 1;
  } else {
    layout.private_size = 32;
    layout.public_size = 32;
  }
  private_part_.resize(layout.private_size);
  public_part_.resize(layout.public_size);
  const bool read = read_pair(private_part_, public_part_);
  const auto private_at = find_once(pkcs8(), private_part_.view());
  layout.public_at = find_once(pkcs8(), public_part_);
  if (!read || !private_at || !std::ranges::equal(public_bits(), public_part_)) {
    return fail(openssl_error(Code::internal, "an encoded key is not laid out as expected"));
  }
  layout.private_at = *private_at;
  layout_ = layout;
  return {};
}

Result<> KeyMaker::generate() {
  EVP_PKEY* made = nullptr;
  if (EVP_PKEY_generate(generator_.get(), &made) != 1) {
    return fail(openssl_error(Code::crypto, "generating a key"));
  }
  return take(KeyPtr(made));
}

Result<> KeyMaker::take(KeyPtr key) {
  key_ = std::move(key);
  if (!layout_) return encode();
  if (!fill_layout()) return fail(openssl_error(Code::crypto, "encoding a new key"));
  return {};
}

Result<> KeyMaker::encode() {
  pkcs8_ = IMPRINT_TRY(encode_pkcs8(key_.get()));
  public_key_info_ = IMPRINT_TRY(encode_public_key(key_.get()));
  return {};
}

bool KeyMaker::fill_layout() {
  if (!read_pair(private_part_, public_part_)) return false;
  std::ranges::copy(private_part_.view(), pkcs8_.data() + layout_->private_at);
  if (layout_->public_at) std::ranges::copy(public_part_, pkcs8_.data() + *layout_->public_at);
  std::ranges::copy(public_part_, public_key_info_.end() - std::ssize(public_part_));
  return true;
}

// Reads exactly as many bytes as the two buffers have.
bool KeyMaker::read_pair(SecretBytes& private_part, Bytes& public_part) const {
  unsigned char* private_bytes = octets(private_part.mutable_view());
  unsigned char* public_bytes = octets(MutableBytes(public_part));
  if (EVP_PKEY_is_a(key_.get(), "EC") != 1) {
    std::size_t private_size = private_part.size();
    std::size_t public_size = public_part.size();
    return EVP_PKEY_get_raw_private_key(key_.get(), private_bytes, &private_size) == 1 &&
           EVP_PKEY_get_raw_public_key(key_.get(), public_bytes, &public_size) == 1 &&
           private_size == private_part.size() && public_size == public_part.size();
  }
  // Both in one call: each costs 2 µs. The number comes little-endian and zero-padded to the
  // buffer.
  std::array<OSSL_PARAM, 3> wanted = {
      OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, private_bytes, private_part.size()),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, public_bytes, public_part.size()),
      OSSL_PARAM_construct_end()};
  if (EVP_PKEY_get_params(key_.get(), wanted.data()) != 1 || OSSL_PARAM_modified(&wanted[0]) != 1 ||
      OSSL_PARAM_modified(&wanted[1]) != 1 || wanted[0].return_size != private_part.size() ||
      wanted[1].return_size != public_part.size()) {
    return false;
  }
  std::reverse(private_bytes, private_bytes + private_part.size());
  return true;
}

ByteView KeyMaker::public_bits() const noexcept {
  // SEQUENCE { AlgorithmIdentifier, BIT STRING }
  const auto info = der::read(public_key_info_);
  const auto algorithm = der::read(info->content);
  const auto bits = der::read(info->content.subspan(algorithm->whole.size()));
  return bits->content.subspan(1);
}

}  // namespace imprint::crypto
