#include "imprint/crypto/mint.hpp"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "hasher.hpp"
#include "key_maker.hpp"
#include "native.hpp"
#include "pem.hpp"
#include "profile.hpp"

namespace imprint::crypto {

/// All that a worker uses, shared with nobody: OpenSSL 3.0's contexts and reference counts are what
/// threads would meet in.
struct Minter::Impl {
  Impl(std::shared_ptr<const Profile> the_profile, Certificate the_issuer)
      : profile(std::move(the_profile)),
        issuer(std::move(the_issuer)),
        contents(profile->impl()) {}

  Result<> mint(std::span<const std::string_view> slots, Identity& identity);
  Result<ByteView> make_certificate(std::span<const std::string_view> slots, Identity& identity);
  [[nodiscard]] Result<> check(const Identity& identity) const;

  LibraryContextPtr library;  // outlives everything made in it
  std::shared_ptr<const Profile> profile;
  Certificate issuer;
  std::unique_ptr<Signer> signer;
  std::optional<KeyMaker> keys;
  std::optional<Hasher> sha1;
  std::optional<Hasher> sha256;
  std::optional<Hasher> message_hash;  // of the signature algorithm; none: it has no hash
  SlotContents contents;
  std::vector<std::size_t> lengths;
  Bytes buffer;
  unsigned verify_every = 0;
  std::uint64_t minted = 0;
};

Result<ByteView> Minter::Impl::make_certificate(std::span<const std::string_view> slots,
                                                Identity& identity) {
  const Profile::Impl& compiled = profile->impl();
  KeyIdentifier key_id;
  if (compiled.spec.subject_key_identifier && !sha1->digest(keys->public_bits(), key_id)) {
    return fail(openssl_error(Code::crypto, "computing a key identifier"));
  }
  contents.set(kSerialSlot, identity.serial);
  contents.set(kPublicKeySlot, keys->public_key_info());
  contents.set(kKeyIdentifierSlot, key_id);
  contents.set_values(slots);
  // The outer header's size is known only after signing (ECDSA signatures vary), so the TBS goes
  // after room for the largest header, and the header is then written so that it ends where the TBS
  // starts.
  const std::size_t tbs_bytes = compiled.tbs.measure(contents.view(), lengths);
  const ByteView algorithm = algorithm_identifier(compiled.algorithm);
  const std::size_t max_signature = signer->max_signature_bytes();
  buffer.resize(der::kMaxHeaderBytes +
                certificate_size(tbs_bytes, compiled.algorithm, max_signature) + max_signature);
  std::byte* const tbs = buffer.data() + der::kMaxHeaderBytes;
  std::byte* at = compiled.tbs.write(contents.view(), lengths, tbs);
  at = der::write_bytes(at, algorithm);
  // Signed into the end of the buffer, then moved behind the header that its length decides.
  const MutableBytes signature(buffer.data() + buffer.size() - max_signature, max_signature);
  ByteView input(tbs, tbs_bytes);
  std::array<std::byte, EVP_MAX_MD_SIZE> digest;
  if (message_hash) {
    const MutableBytes used = MutableBytes(digest).first(message_hash->size());
    if (!message_hash->digest(input, used)) {
      return fail(openssl_error(Code::crypto, "hashing a certificate"));
    }
    input = used;
  }
  const std::size_t signature_bytes = IMPRINT_TRY(signer->sign(input, signature));
  at = der::write_header(at, der::kBitString, 1 + signature_bytes);
  *at++ = std::byte{0};  // no unused bits
  std::memmove(at, signature.data(), signature_bytes);
  at += signature_bytes;
  const auto content_bytes = static_cast<std::size_t>(at - tbs);
  std::byte* const start = tbs - der::header_size(content_bytes);
  der::write_header(start, der::kSequence, content_bytes);
  return ByteView(start, at);
}

Result<> Minter::Impl::mint(std::span<const std::string_view> slots, Identity& identity) {
  if (slots.size() != profile->slot_count()) {
    return fail(Code::internal, fmt::format("{} values for a profile with {} slots", slots.size(),
                                            profile->slot_count()));
  }
  IMPRINT_TRY(keys->generate());
  IMPRINT_TRY(random_serial(library.get(), identity.serial));
  const ByteView certificate = IMPRINT_TRY(make_certificate(slots, identity));
  if (!sha256->digest(certificate, identity.certificate_sha256) ||
      !sha256->digest(keys->public_key_info(), identity.public_key_sha256)) {
    return fail(openssl_error(Code::crypto, "computing a digest"));
  }
  identity.certificate.assign(certificate.begin(), certificate.end());
  const ByteView public_key = keys->public_key_info();
  identity.public_key.assign(public_key.begin(), public_key.end());
  identity.certificate_pem.resize(pem_size(kPemCertificate, certificate.size()));
  write_pem(kPemCertificate, certificate,
            std::as_writable_bytes(std::span(identity.certificate_pem)));
  identity.key_pem.resize(pem_size(kPemPrivateKey, keys->pkcs8().size()));
  write_pem(kPemPrivateKey, keys->pkcs8(), identity.key_pem.mutable_view());
  const std::uint64_t index = minted++;
  if (index == 0 || (verify_every != 0 && index % verify_every == 0)) return check(identity);
  return {};
}

// Hand-written DER gets a second opinion: OpenSSL reads back what leaves here. `plain`, because an
// old CA must not fail its devices; that our part passes `strict` is what tests prove.
Result<> Minter::Impl::check(const Identity& identity) const {
  const auto certificate = Certificate::parse(bytes_of(identity.certificate_pem));
  if (!certificate) {
    return fail(Error(certificate.error()).context("reading back a new certificate"));
  }
  if (certificate->fingerprint() != identity.certificate_sha256) {
    return fail(Code::check_failed, "a new certificate does not have the digest it should have");
  }
  const TimePoint valid = std::max(issuer.not_before(), profile->spec().not_before);
  IMPRINT_TRY(verify_client_certificate(*certificate, {}, {&issuer, 1}, valid, Strictness::plain)
                  .context("checking a new certificate against its CA"));
  const PrivateKey key = IMPRINT_TRY(
      PrivateKey::from_pem(identity.key_pem.view()).context("reading back a new private key"));
  if (!belongs_together(key, *certificate)) {
    return fail(Code::check_failed, "a new private key does not belong to its certificate");
  }
  return {};
}

Minter::Minter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Minter::Minter(Minter&&) noexcept = default;
Minter& Minter::operator=(Minter&&) noexcept = default;
Minter::~Minter() = default;

Result<Minter> Minter::create(std::shared_ptr<const Profile> profile, const Certificate& issuer,
                              const Signer& signer, unsigned verify_every) {
  if (signer.algorithm() != profile->impl().algorithm) {
    return fail(Code::internal, "the profile was compiled for another signature algorithm");
  }
  auto impl = std::make_unique<Impl>(std::move(profile), issuer);
  impl->library.reset(OSSL_LIB_CTX_new());
  if (impl->library == nullptr) return fail(openssl_error(Code::crypto, "starting a worker"));
  OSSL_LIB_CTX* library = impl->library.get();
  impl->signer = IMPRINT_TRY(signer.clone());
  impl->keys = IMPRINT_TRY(KeyMaker::create(library, impl->profile->spec().key));
  impl->sha1 = IMPRINT_TRY(Hasher::create(library, "SHA1"));
  impl->sha256 = IMPRINT_TRY(Hasher::create(library, "SHA256"));
  if (const auto hash = hash_of(signer.algorithm())) {
    impl->message_hash = IMPRINT_TRY(Hasher::create(library, name(*hash)));
  }
  impl->lengths.resize(impl->profile->impl().tbs.item_count());
  impl->verify_every = verify_every;
  return Minter(std::move(impl));
}

Result<> Minter::mint(std::span<const std::string_view> slots, Identity& identity) {
  return impl_->mint(slots, identity);
}

}  // namespace imprint::crypto
