#include "probe.hpp"

#include <algorithm>

#include "imprint/crypto/mint.hpp"

namespace imprint::authority {

namespace {

Result<crypto::Certificate> issue_probe(const crypto::Certificate& ca, const crypto::Signer& signer,
                                        TimePoint now) {
  crypto::ProfileSpec spec;
  spec.subject.push_back({crypto::NameField::common_name, "probe"});
  spec.not_before = now;
  spec.not_after = now + std::chrono::minutes(5);
  const auto profile = IMPRINT_TRY(crypto::Profile::compile(spec, ca, signer.algorithm()));
  crypto::Minter minter = IMPRINT_TRY(crypto::Minter::create(profile, ca, signer));
  crypto::Identity identity;
  IMPRINT_TRY(minter.mint({}, identity));
  return crypto::Certificate::parse(bytes_of(identity.certificate_pem));
}

}  // namespace

Result<> verify_probe(const crypto::Certificate& ca, const crypto::Signer& signer, TimePoint now,
                      crypto::Strictness strictness) {
  const auto certificate = IMPRINT_TRY(issue_probe(ca, signer, now));
  return crypto::verify_client_certificate(certificate, {}, {&ca, 1}, now, strictness);
}

Result<> verify_probe(const crypto::Certificate& ca, const crypto::Signer& signer, TimePoint now,
                      crypto::Strictness strictness, const Authority& parent) {
  std::vector<crypto::Certificate> above = {parent.certificate()};
  above.insert(above.end(), parent.chain().begin(), parent.chain().end());
  return verify_probe(ca, signer, now, strictness, above);
}

Result<> verify_probe(const crypto::Certificate& ca, const crypto::Signer& signer, TimePoint now,
                      crypto::Strictness strictness, std::span<const crypto::Certificate> above) {
  const auto certificate = IMPRINT_TRY(issue_probe(ca, signer, now));
  std::vector<crypto::Certificate> between = {ca};
  between.insert(between.end(), above.begin(), above.end());
  const crypto::Certificate top = between.back();
  between.pop_back();
  return crypto::verify_client_certificate(certificate, between, {&top, 1}, now, strictness);
}

}  // namespace imprint::authority
