#include "unique.hpp"

#include <cstring>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "imprint/base/text.hpp"
#include "imprint/crypto/digest.hpp"

namespace imprint::verify {

std::size_t Unique::HashOfDigest::operator()(const crypto::Sha256Digest& digest) const noexcept {
  std::size_t hash = 0;
  std::memcpy(&hash, digest.data(), sizeof hash);  // it is random already
  return hash;
}

const std::string* Unique::seen_before(Seen& seen, ByteView what, const std::string& image) {
  const auto [known, is_new] = seen.emplace(crypto::sha256(what), image);
  return is_new ? nullptr : &known->second;
}

void Unique::check(const ImageVerdict& verdict, const crypto::Certificate& certificate,
                   Findings& findings) {
  const std::string serial = certificate.issuer_text() + '\n' + certificate.serial_hex();
  const std::string& id =
      verdict.device_id.empty() ? verdict.certificate_subject : verdict.device_id;
  std::vector<std::string_view> shared;
  const std::string* with = nullptr;
  const auto look = [&](Seen& seen, ByteView what, std::string_view name) {
    const std::string* before = seen_before(seen, what, verdict.image);
    if (before == nullptr) return;
    shared.push_back(name);
    with = before;
  };
  look(keys_, certificate.public_key_der(), "key");
  look(serials_, bytes_of(serial), "serial number");
  if (!id.empty()) look(ids_, bytes_of(id), verdict.device_id.empty() ? "subject" : "id");
  if (with != nullptr) {
    findings.failed(check::kUnique,
                    fmt::format("it has the {} of {}", fmt::join(shared, ", "), *with));
  }
}

}  // namespace imprint::verify
