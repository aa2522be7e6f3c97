// A CRL, streamed. Its entries are walked three times: for their sizes, which DER wants before the
// content; for the digest that is signed; and for the bytes. A walk of a million entries takes
// about a second, and no more of them than one is ever in memory.

#include "imprint/crypto/crl.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "builder.hpp"
#include "der.hpp"
#include "imprint/base/text.hpp"
#include "native.hpp"
#include "pem.hpp"

namespace imprint::crypto {

namespace {

using namespace std::string_view_literals;

struct ReasonRow {
  RevocationReason reason;
  std::string_view word;
};

constexpr std::array<ReasonRow, 9> kReasons = {{
    {RevocationReason::unspecified, "unspecified"},
    {RevocationReason::key_compromise, "keyCompromise"},
    {RevocationReason::ca_compromise, "cACompromise"},
    {RevocationReason::affiliation_changed, "affiliationChanged"},
    {RevocationReason::superseded, "superseded"},
    {RevocationReason::cessation_of_operation, "cessationOfOperation"},
    {RevocationReason::certificate_hold, "certificateHold"},
    {RevocationReason::privilege_withdrawn, "privilegeWithdrawn"},
    {RevocationReason::aa_compromise, "aACompromise"},
}};

constexpr std::string_view kReasonOid = "\x55\x1d\x15"sv;
constexpr std::string_view kNumberOid = "\x55\x1d\x14"sv;
constexpr std::string_view kAuthorityIdOid = "\x55\x1d\x23"sv;
constexpr std::uint8_t kExtensionsTag = 0xa0;  // [0] EXPLICIT
constexpr std::uint8_t kKeyIdTag = 0x80;       // [0] IMPLICIT

/// DER built from the inside out: element(tag, content...).
template <class... Parts>
Bytes element(std::uint8_t tag, const Parts&... parts) {
  Bytes built(der::element_size((ByteView(parts).size() + ... + 0)));
  std::byte* at = der::write_header(built.data(), tag, (ByteView(parts).size() + ... + 0));
  ((at = der::write_bytes(at, ByteView(parts))), ...);
  return built;
}

/// RFC 5280 5.1.2.4: UTCTime through 2049, GeneralizedTime after.
Bytes time_element(TimePoint time) {
  const std::string text = to_rfc3339(time);  // 2026-11-20T19:46:03Z
  std::string digits;
  std::ranges::copy_if(text, std::back_inserter(digits),
                       [](char c) { return c >= '0' && c <= '9'; });
  const bool utc = digits < "2050" && digits >= "1950";
  const std::string content = (utc ? digits.substr(2) : digits) + "Z";
  return element(utc ? der::kUtcTime : der::kGeneralizedTime, bytes_of(content));
}

/// A non-negative INTEGER from its magnitude: no leading zeros but the one that keeps it positive.
Bytes integer_element(ByteView magnitude) {
  while (magnitude.size() > 1 && magnitude.front() == std::byte{0})
    magnitude = magnitude.subspan(1);
  if (magnitude.empty()) return element(der::kInteger, bytes_of("\0"sv));
  const bool high = (magnitude.front() & std::byte{0x80}) != std::byte{0};
  return element(der::kInteger, bytes_of(high ? "\0"sv : ""sv), magnitude);
}

Bytes extension(std::string_view oid, ByteView value) {
  return element(der::kSequence, element(der::kObjectIdentifier, bytes_of(oid)),
                 element(der::kOctetString, value));
}

/// Encodes entries; what is the same in many of them is kept.
class EntryEncoder {
 public:
  EntryEncoder() {
    for (const ReasonRow& row : kReasons) {
      const auto code = static_cast<std::size_t>(row.reason);
      // RFC 5280 5.3.1: the reason is left out rather than `unspecified`.
      if (code == 0) continue;
      const std::array<std::byte, 1> value = {static_cast<std::byte>(code)};
      reasons_.at(code) = element(
          der::kSequence, extension(kReasonOid, element(der::kEnumerated, ByteView(value))));
    }
  }

  /// Valid until the next call.
  ByteView encode(const CrlEntry& entry) {
    if (entry.revoked_at != time_ || time_element_.empty()) {
      time_ = entry.revoked_at;
      time_element_ = time_element(time_);
    }
    encoded_ = element(der::kSequence, integer_element(entry.serial), time_element_,
                       reasons_.at(static_cast<std::size_t>(entry.reason)));
    return encoded_;
  }

 private:
  std::array<Bytes, 16> reasons_;
  TimePoint time_;
  Bytes time_element_;
  Bytes encoded_;
};

Bytes number_octets(std::uint64_t number) {
  Bytes octets(sizeof number);
  for (std::size_t i = octets.size(); i-- > 0; number >>= 8)
    octets[i] = static_cast<std::byte>(number & 0xff);
  return octets;
}

/// A TBSCertList around entries whose total size is known.
struct Frame {
  Bytes before;  ///< up to the first entry
  Bytes after;   ///< from the last one on
  std::size_t tbs_bytes = 0;
};

Result<Frame> make_frame(const CrlSpec& spec, const Certificate& issuer,
                         SignatureAlgorithm algorithm, std::uint64_t entries_bytes) {
  unsigned char* raw = nullptr;
  const int size = i2d_X509_NAME(X509_get_subject_name(native_of(issuer)), &raw);
  if (size <= 0) return fail(openssl_error(Code::crypto, "encoding the CA's name"));
  const ByteView name_view = view_of(raw, static_cast<std::size_t>(size));
  const Bytes name(name_view.begin(), name_view.end());
  OPENSSL_free(raw);
  const Bytes key_id = IMPRINT_TRY(authority_identifier(issuer));

  Frame frame;
  const Bytes authority_id =
      extension(kAuthorityIdOid, element(der::kSequence, element(kKeyIdTag, ByteView(key_id))));
  const Bytes number = extension(kNumberOid, integer_element(number_octets(spec.number)));
  frame.after = element(kExtensionsTag, element(der::kSequence, authority_id, number));

  const std::array<std::byte, 1> v2 = {std::byte{1}};
  Bytes head = element(der::kInteger, ByteView(v2));
  for (const ByteView part : {algorithm_identifier(algorithm), ByteView(name)})
    head.insert(head.end(), part.begin(), part.end());
  for (const Bytes& part : {time_element(spec.this_update), time_element(spec.next_update)})
    head.insert(head.end(), part.begin(), part.end());

  // An empty list of entries must be absent (RFC 5280 5.1.2.6).
  const std::size_t list_header = entries_bytes == 0 ? 0 : der::header_size(entries_bytes);
  const std::size_t content = head.size() + list_header + entries_bytes + frame.after.size();
  frame.tbs_bytes = der::element_size(content);
  frame.before.resize(der::header_size(content) + head.size() + list_header);
  std::byte* at = der::write_header(frame.before.data(), der::kSequence, content);
  at = der::write_bytes(at, head);
  if (list_header != 0) der::write_header(at, der::kSequence, entries_bytes);
  return frame;
}

/// The whole TBSCertList, a piece at a time.
Result<> emit_tbs(const Frame& frame, const CrlEntries& entries, const ByteSink& sink) {
  IMPRINT_TRY(sink(frame.before));
  EntryEncoder encoder;
  IMPRINT_TRY(entries([&](const CrlEntry& entry) { return sink(encoder.encode(entry)); }));
  return sink(frame.after);
}

/// What the signer signs: the digest, or for Ed25519 the TBSCertList.
Result<Bytes> signer_input(const Frame& frame, const CrlEntries& entries,
                           SignatureAlgorithm algorithm) {
  std::size_t size = 0;
  const auto hash_algorithm = hash_of(algorithm);
  std::optional<Hash> hash;
  Bytes message;
  if (hash_algorithm) {
    hash.emplace(*hash_algorithm);
  } else {
    message.reserve(frame.tbs_bytes);
  }
  IMPRINT_TRY(emit_tbs(frame, entries, [&](ByteView piece) -> Result<> {
    size += piece.size();
    if (hash) {
      hash->update(piece);
    } else {
      message.insert(message.end(), piece.begin(), piece.end());
    }
    return {};
  }));
  if (size != frame.tbs_bytes) {
    return fail(Code::internal, "the entries of the CRL changed while it was made");
  }
  return hash ? hash->finish() : std::move(message);
}

}  // namespace

std::string_view word(RevocationReason reason) noexcept {
  const auto* const row = std::ranges::find(kReasons, reason, &ReasonRow::reason);
  return row != kReasons.end() ? row->word : kReasons.front().word;
}

Result<RevocationReason> parse_revocation_reason(std::string_view text) {
  std::array<std::string_view, kReasons.size()> known;
  for (std::size_t i = 0; i < kReasons.size(); ++i) {
    known[i] = kReasons[i].word;
    if (equal_ignoring_ascii_case(known[i], text)) return kReasons[i].reason;
  }
  const auto meant = nearest(text, known);
  return fail(Code::invalid_input,
              fmt::format("{} is no reason; {}", quoted(text),
                          meant ? "did you mean " + quoted(*meant) + "?"
                                : fmt::format("known are {}", fmt::join(known, ", "))));
}

Result<CrlSize> write_crl(const CrlSpec& spec, const Certificate& issuer, Signer& signer,
                          const CrlEntries& entries, const ByteSink& sink) {
  if (spec.next_update <= spec.this_update) {
    return fail(Code::invalid_input, "a CRL whose next update is not after this one");
  }
  CrlSize size;
  std::uint64_t entries_bytes = 0;
  EntryEncoder encoder;
  IMPRINT_TRY(entries([&](const CrlEntry& entry) -> Result<> {
    // RFC 5280 5.1.2.6 leaves no room for a date that this CRL cannot know.
    if (entry.revoked_at > spec.this_update) {
      return fail(Code::invalid_input,
                  fmt::format("certificate {} was revoked on {}, after the present time {}; set "
                              "the clock",
                              to_hex(entry.serial), to_rfc3339(entry.revoked_at),
                              to_rfc3339(spec.this_update)));
    }
    entries_bytes += encoder.encode(entry).size();
    ++size.entries;
    return {};
  }));
  const SignatureAlgorithm algorithm = signer.algorithm();
  const Frame frame = IMPRINT_TRY(make_frame(spec, issuer, algorithm, entries_bytes));
  const Bytes input = IMPRINT_TRY(signer_input(frame, entries, algorithm));
  Bytes signature(signer.max_signature_bytes());
  signature.resize(IMPRINT_TRY(signer.sign(input, signature)));
  if (!verify_signed_input(issuer, algorithm, input, signature)) {
    return fail(Code::check_failed,
                "the signature of the CRL does not verify with the CA's certificate");
  }

  const std::array<std::byte, 1> no_unused_bits = {std::byte{0}};
  const Bytes bits = element(der::kBitString, ByteView(no_unused_bits), signature);
  const ByteView identifier = algorithm_identifier(algorithm);
  const std::size_t content = frame.tbs_bytes + identifier.size() + bits.size();
  Bytes header(der::header_size(content));
  der::write_header(header.data(), der::kSequence, content);
  IMPRINT_TRY(sink(header));
  IMPRINT_TRY(emit_tbs(frame, entries, sink));
  IMPRINT_TRY(sink(identifier));
  IMPRINT_TRY(sink(bits));
  size.bytes = header.size() + content;
  return size;
}

PemStream::PemStream(std::string_view label, ByteSink sink)
    : label_(label),
      sink_(std::move(sink)) {}

Result<> PemStream::put_line(ByteView octets) {
  std::array<char, kPemLineCharacters + 1> line{};
  char* end = put_base64(line.data(), octets);
  *end++ = '\n';
  return sink_(
      bytes_of(std::string_view(line.data(), static_cast<std::size_t>(end - line.data()))));
}

Result<> PemStream::write(ByteView der) {
  if (!begun_) {
    begun_ = true;
    IMPRINT_TRY(sink_(bytes_of(fmt::format("-----BEGIN {}-----\n", label_))));
  }
  if (!rest_.empty()) {
    const std::size_t taken = std::min(der.size(), kPemLineOctets - rest_.size());
    rest_.insert(rest_.end(), der.begin(), der.begin() + static_cast<std::ptrdiff_t>(taken));
    der = der.subspan(taken);
    if (rest_.size() < kPemLineOctets) return {};
    IMPRINT_TRY(put_line(rest_));
    rest_.clear();
  }
  for (; der.size() >= kPemLineOctets; der = der.subspan(kPemLineOctets))
    IMPRINT_TRY(put_line(der.first(kPemLineOctets)));
  rest_.assign(der.begin(), der.end());
  return {};
}

Result<> PemStream::finish() {
  if (!rest_.empty()) IMPRINT_TRY(put_line(rest_));
  return sink_(bytes_of(fmt::format("-----END {}-----\n", label_)));
}

Result<> check_crl(ByteView pem_or_der, const Certificate& issuer) {
  using CrlPtr = std::unique_ptr<X509_CRL, Freer<X509_CRL_free>>;
  const CleanErrorQueue errors;
  const BioPtr source = memory_source(pem_or_der);
  const bool is_pem = text_of(pem_or_der).starts_with("-----BEGIN ");
  const CrlPtr crl(is_pem ? PEM_read_bio_X509_CRL(source.get(), nullptr, nullptr, nullptr)
                          : d2i_X509_CRL_bio(source.get(), nullptr));
  if (crl == nullptr) return fail(openssl_error(Code::check_failed, "reading back the CRL"));
  if (X509_NAME_cmp(X509_CRL_get_issuer(crl.get()), X509_get_subject_name(native_of(issuer))) !=
      0) {
    return fail(Code::check_failed, "the CRL does not have the CA's name");
  }
  if (X509_CRL_verify(crl.get(), X509_get0_pubkey(native_of(issuer))) != 1) {
    return fail(openssl_error(Code::check_failed, "verifying the CRL"));
  }
  return {};
}

}  // namespace imprint::crypto
