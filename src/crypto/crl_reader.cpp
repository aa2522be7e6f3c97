// Reading a CRL back without having it in memory: OpenSSL's X509_CRL takes 300 bytes an entry. The
// file is decoded by OpenSSL's base64 and not by what wrote it, the elements are followed one by
// one, and what is signed goes through the hash as it comes by.

#include "imprint/crypto/crl_reader.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "der.hpp"
#include "imprint/base/text.hpp"
#include "imprint/crypto/signer.hpp"
#include "native.hpp"

namespace imprint::crypto {

namespace {

using namespace std::string_view_literals;

constexpr std::size_t kPieceBytes = std::size_t{64} << 10;
constexpr std::uint64_t kMaxNameBytes = std::uint64_t{64} << 10;
constexpr std::uint64_t kMaxExtensionsBytes = std::uint64_t{1} << 20;
constexpr std::uint64_t kMaxSignatureBytes = std::uint64_t{64} << 10;
constexpr std::string_view kBegin = "-----BEGIN X509 CRL-----";
constexpr std::string_view kNumberOid = "\x55\x1d\x14"sv;
constexpr std::uint8_t kUtcTimeTag = 0x17;
constexpr std::uint8_t kGeneralizedTimeTag = 0x18;
constexpr std::uint8_t kExtensionsTag = 0xa0;

constexpr std::array kAlgorithms = {
    SignatureAlgorithm::ecdsa_sha256, SignatureAlgorithm::ecdsa_sha384,
    SignatureAlgorithm::ecdsa_sha512, SignatureAlgorithm::rsa_sha256, SignatureAlgorithm::ed25519};

using DecoderPtr = std::unique_ptr<EVP_ENCODE_CTX, Freer<EVP_ENCODE_CTX_free>>;

Unexpected no_crl(std::string_view why) {
  return fail(Code::corrupt, "is no CRL: " + std::string(why));
}

/// The bytes of the DER, whichever way the file holds them.
class Source {
 public:
  explicit Source(const File& file) : file_(file) {}

  Result<> open() {
    size_ = IMPRINT_TRY(file_.size_bytes());
    const Bytes first = IMPRINT_TRY(next_piece());
    const std::size_t begin = text_of(first).find(kBegin);
    if (begin == std::string_view::npos) {
      buffer_ = first;
      return {};
    }
    decoder_.reset(EVP_ENCODE_CTX_new());
    if (decoder_ == nullptr) return fail(openssl_error(Code::crypto, "decoding a CRL"));
    EVP_DecodeInit(decoder_.get());
    return decode(ByteView(first).subspan(begin + kBegin.size()));
  }

  [[nodiscard]] std::uint64_t size_bytes() const noexcept { return size_; }

  /// The next `size` bytes, valid until the next call.
  Result<ByteView> take(std::size_t size) {
    while (buffer_.size() - position_ < size) {
      if (ended_ || offset_ == size_) return no_crl("it ends early");
      buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(position_));
      position_ = 0;
      const Bytes piece = IMPRINT_TRY(next_piece());
      if (decoder_ != nullptr) {
        IMPRINT_TRY(decode(piece));
      } else {
        buffer_.insert(buffer_.end(), piece.begin(), piece.end());
      }
    }
    const ByteView taken = ByteView(buffer_).subspan(position_, size);
    position_ += size;
    return taken;
  }

 private:
  Result<Bytes> next_piece() {
    Bytes piece(static_cast<std::size_t>(std::min<std::uint64_t>(kPieceBytes, size_ - offset_)));
    IMPRINT_TRY(file_.read_exact(offset_, piece));
    offset_ += piece.size();
    return piece;
  }

  Result<> decode(ByteView piece) {
    Bytes decoded(piece.size() + 64);
    int size = 0;
    const int status = EVP_DecodeUpdate(decoder_.get(), octets(MutableBytes(decoded)), &size,
                                        octets(piece), static_cast<int>(piece.size()));
    if (status < 0) return no_crl("its base64 is damaged");
    buffer_.insert(buffer_.end(), decoded.begin(), decoded.begin() + size);
    ended_ = status == 0;  // the line that ends the object, or padding
    return {};
  }

  const File& file_;
  std::uint64_t size_ = 0;
  std::uint64_t offset_ = 0;
  DecoderPtr decoder_;  // none: the file is DER
  bool ended_ = false;
  Bytes buffer_;
  std::size_t position_ = 0;
};

struct Header {
  std::uint8_t tag = 0;
  std::uint64_t size = 0;
  Bytes raw;
};

/// Follows the elements, and keeps what is needed of those that are signed.
class Reader {
 public:
  Reader(const File& file, const SerialVisitor& visit) : source_(file), visit_(visit) {}

  Result<CrlFacts> read(const Certificate& ca) {
    IMPRINT_TRY(source_.open());
    const Header outermost = IMPRINT_TRY(expect(der::kSequence));
    const std::uint64_t whole_end = taken_ + outermost.size;
    signing_ = true;
    const Header tbs = IMPRINT_TRY(expect(der::kSequence));
    const std::uint64_t end = taken_ + tbs.size;
    signed_bytes_ = tbs.raw.size() + tbs.size;
    IMPRINT_TRY(read_head());
    while (taken_ < end)
      IMPRINT_TRY(read_rest());
    if (taken_ != end) return no_crl("its elements do not add up");
    signing_ = false;
    const Header after = IMPRINT_TRY(header());
    const Bytes outer = IMPRINT_TRY(whole(after, kMaxNameBytes));
    if (outer != algorithm_identifier_) return no_crl("it names two signature algorithms");
    const Header bits = IMPRINT_TRY(expect(der::kBitString));
    const Bytes signature = IMPRINT_TRY(content(bits, kMaxSignatureBytes));
    // The first octet counts unused bits, of which there are none.
    if (signature.size() < 2 || signature[0] != std::byte{0}) return no_crl("it has no signature");
    if (taken_ != whole_end) return no_crl("its elements do not add up");
    facts_.is_signed = algorithm_ && verify(ca, ByteView(signature).subspan(1));
    return std::move(facts_);
  }

 private:
  Result<ByteView> take(std::size_t size) {
    const ByteView bytes = IMPRINT_TRY(source_.take(size));
    taken_ += size;
    if (!signing_) return bytes;
    if (hash_) {
      hash_->update(bytes);
    } else {
      message_.insert(message_.end(), bytes.begin(), bytes.end());
    }
    return bytes;
  }

  Result<Header> header() {
    Header header;
    const auto add = [&](std::size_t size) -> Result<> {
      const ByteView bytes = IMPRINT_TRY(take(size));
      header.raw.insert(header.raw.end(), bytes.begin(), bytes.end());
      return {};
    };
    IMPRINT_TRY(add(2));
    header.tag = std::to_integer<std::uint8_t>(header.raw[0]);
    const auto first = std::to_integer<std::size_t>(header.raw[1]);
    header.size = first;
    if (first >= 0x80) {
      const std::size_t octets = first & 0x7f;
      if (octets == 0 || octets > der::kMaxHeaderBytes - 2) return no_crl("it is not in DER");
      IMPRINT_TRY(add(octets));
      header.size = 0;
      for (std::size_t i = 2; i < header.raw.size(); ++i)
        header.size = header.size << 8 | std::to_integer<std::uint64_t>(header.raw[i]);
    }
    if (der::header_size(header.size) != header.raw.size()) return no_crl("it is not in DER");
    return header;
  }

  Result<Header> expect(std::uint8_t tag) {
    Header found = IMPRINT_TRY(header());
    if (found.tag != tag) return no_crl("it is built otherwise");
    return found;
  }

  Result<Bytes> content(const Header& of, std::uint64_t most) {
    if (of.size > most) return no_crl("an element is too large");
    const ByteView bytes = IMPRINT_TRY(take(static_cast<std::size_t>(of.size)));
    return Bytes(bytes.begin(), bytes.end());
  }

  Result<Bytes> whole(const Header& of, std::uint64_t most) {
    const Bytes inner = IMPRINT_TRY(content(of, most));
    Bytes all = of.raw;
    all.insert(all.end(), inner.begin(), inner.end());
    return all;
  }

  /// Version, signature algorithm, issuer, this update.
  Result<> read_head() {
    Header next = IMPRINT_TRY(header());
    if (next.tag == der::kInteger) {
      IMPRINT_TRY(content(next, kMaxNameBytes));
      next = IMPRINT_TRY(header());
    }
    algorithm_identifier_ = IMPRINT_TRY(whole(next, kMaxNameBytes));
    choose_algorithm();
    const Header issuer = IMPRINT_TRY(expect(der::kSequence));
    facts_.issuer = IMPRINT_TRY(whole(issuer, kMaxNameBytes));
    const Header time = IMPRINT_TRY(header());
    if (!is_time(time.tag)) return no_crl("it has no date");
    const Bytes date = IMPRINT_TRY(content(time, kMaxNameBytes));
    facts_.this_update = IMPRINT_TRY(date_of(time.tag, date));
    return {};
  }

  static Result<TimePoint> date_of(std::uint8_t tag, ByteView text) {
    std::string digits(text_of(text));
    // RFC 5280 5.1.2.4 and 4.1.2.5.1: two digits of a year from 50 on are of the last century.
    if (tag == kUtcTimeTag) digits.insert(0, digits >= "5" ? "19" : "20");
    const auto time = from_generalized_time(digits);
    if (!time) return no_crl("its date is damaged");
    return *time;
  }

  static bool is_time(std::uint8_t tag) { return tag == kUtcTimeTag || tag == kGeneralizedTimeTag; }

  /// Next update, entries, extensions: each may be absent.
  Result<> read_rest() {
    const Header next = IMPRINT_TRY(header());
    if (next.tag == der::kSequence) return read_entries(next.size);
    const Bytes inner = IMPRINT_TRY(content(next, kMaxExtensionsBytes));
    if (next.tag == kExtensionsTag) return read_extensions(inner);
    if (!is_time(next.tag)) return no_crl("it is built otherwise");
    facts_.next_update = IMPRINT_TRY(date_of(next.tag, inner));
    return {};
  }

  Result<> read_entries(std::uint64_t size) {
    const std::uint64_t end = taken_ + size;
    while (taken_ < end) {
      const Header entry = IMPRINT_TRY(expect(der::kSequence));
      if (entry.size > kMaxExtensionsBytes) return no_crl("an entry is too large");
      const ByteView inner = IMPRINT_TRY(take(static_cast<std::size_t>(entry.size)));
      ++facts_.entries;
      if (!visit_) continue;
      const auto serial = der::read(inner);
      if (!serial || serial->tag != der::kInteger) return no_crl("an entry has no serial number");
      visit_(magnitude(serial->content));
    }
    if (taken_ != end) return no_crl("its entries do not add up");
    return {};
  }

  Result<> read_extensions(ByteView explicit_content) {
    const auto list = der::read(explicit_content);
    const auto extensions = list ? der::read_all(list->content) : std::nullopt;
    if (!extensions) return no_crl("its extensions are damaged");
    for (const der::Element& extension : *extensions) {
      const auto parts = der::read_all(extension.content);
      if (!parts || parts->size() < 2) return no_crl("its extensions are damaged");
      if (text_of(parts->front().content) != kNumberOid) continue;
      const auto number = der::read(parts->back().content);
      if (!number || number->tag != der::kInteger) return no_crl("its number is damaged");
      facts_.number.emplace(number->content.begin(), number->content.end());
    }
    return {};
  }

  /// DER puts a zero before a number whose first bit is set.
  static ByteView magnitude(ByteView integer) {
    return integer.size() > 1 && integer[0] == std::byte{0} ? integer.subspan(1) : integer;
  }

  void choose_algorithm() {
    const auto* const known = std::ranges::find_if(kAlgorithms, [&](SignatureAlgorithm algorithm) {
      return std::ranges::equal(algorithm_identifier(algorithm), algorithm_identifier_);
    });
    // Another one: nothing is kept, and it is not what a CA of ours has signed.
    algorithm_ = known != kAlgorithms.end() ? std::optional(*known) : std::nullopt;
    const auto hash = hash_of(algorithm_.value_or(SignatureAlgorithm::rsa_sha256));
    if (!hash) {
      // At once: growing would hold it twice. The file's size bounds what it may claim to be.
      message_.reserve(static_cast<std::size_t>(std::min(signed_bytes_, source_.size_bytes())));
      return;
    }
    hash_.emplace(*hash);
    hash_->update(message_);
    message_ = {};
  }

  bool verify(const Certificate& ca, ByteView signature) {
    const auto wanted = signature_algorithm_of(ca);
    if (hash_) message_ = hash_->finish();
    return wanted && *wanted == *algorithm_ &&
           verify_signed_input(ca, *algorithm_, message_, signature);
  }

  Source source_;
  const SerialVisitor& visit_;
  std::uint64_t taken_ = 0;
  std::uint64_t signed_bytes_ = 0;
  bool signing_ = false;  // what is taken now is part of what is signed
  std::optional<Hash> hash_;
  Bytes message_;  // what was taken before the hash was known; of Ed25519 all of it
  Bytes algorithm_identifier_;
  std::optional<SignatureAlgorithm> algorithm_;
  CrlFacts facts_;
};

}  // namespace

Result<CrlFacts> read_crl(const File& file, const Certificate& ca, const SerialVisitor& visit) {
  return Reader(file, visit).read(ca).context(quoted(file.path().string()));
}

Bytes subject_der(const Certificate& certificate) {
  const unsigned char* der = nullptr;
  std::size_t size = 0;
  // As it was parsed; OpenSSL re-encodes only names that were changed.
  X509_NAME_get0_der(X509_get_subject_name(native_of(certificate)), &der, &size);
  const ByteView view = view_of(der, size);
  return {view.begin(), view.end()};
}

}  // namespace imprint::crypto
