#include "unique.hpp"

#include <cstring>

#include <fmt/format.h>

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
  std::vector<std::pair<std::string_view, const std::string*>> shared;
  const auto look = [&](Seen& seen, ByteView what, std::string_view name) {
    if (const std::string* before = seen_before(seen, what, verdict.image))
      shared.emplace_back(name, before);
  };
  look(keys_, certificate.public_key_der(), "key");
  look(serials_, bytes_of(serial), "serial number");
  if (!id.empty()) look(ids_, bytes_of(id), verdict.device_id.empty() ? "subject" : "id");
  std::string text;
  for (std::size_t i = 0; i < shared.size(); ++i) {
    text += fmt::format("{}{}", i == 0 ? "it has the " : ", ", shared[i].first);
    const bool last_of_it = i + 1 == shared.size() || *shared[i + 1].second != *shared[i].second;
    if (last_of_it) text += fmt::format(" of {}", *shared[i].second);
  }
  if (!text.empty()) findings.failed(check::kUnique, std::move(text));
}

}  // namespace imprint::verify
