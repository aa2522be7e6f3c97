#include "probe.hpp"

#include <algorithm>

#include "imprint/crypto/mint.hpp"

namespace imprint::authority {

Result<> verify_probe(const crypto::Certificate& ca, const crypto::Signer& signer, TimePoint now,
                      crypto::Strictness strictness) {
  crypto::ProfileSpec spec;
  spec.subject.push_back({crypto::NameField::common_name, "probe"});
  spec.not_before = now;
  spec.not_after = now + std::chrono::minutes(5);
  const auto profile = IMPRINT_TRY(crypto::Profile::compile(spec, ca, signer.algorithm()));
  crypto::Minter minter = IMPRINT_TRY(crypto::Minter::create(profile, ca, signer));
  crypto::Identity identity;
  IMPRINT_TRY(minter.mint({}, identity));
  const auto certificate =
      IMPRINT_TRY(crypto::Certificate::parse(bytes_of(identity.certificate_pem)));
  return crypto::verify_client_certificate(certificate, {}, {&ca, 1}, now, strictness);
}

}  // namespace imprint::authority
