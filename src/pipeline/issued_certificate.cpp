#include "issued_certificate.hpp"

namespace imprint::pipeline {

IssuedCertificate::IssuedCertificate(std::string id, const crypto::Certificate& certificate,
                                     ledger::Purpose purpose, std::string identity_data)
    : id_(std::move(id)),
      subject_(certificate.subject_text()),
      serial_(certificate.serial()),
      fingerprint_(certificate.fingerprint()),
      certificate_(certificate.der()),
      public_key_(certificate.public_key_der()),
      public_key_sha256_(crypto::sha256(public_key_)),
      not_before_(certificate.not_before()),
      not_after_(certificate.not_after()),
      purpose_(purpose),
      identity_data_(std::move(identity_data)) {
  const auto kind = certificate.key_kind();
  key_kind_ = kind ? crypto::name(*kind) : "other";
}

ledger::Issued IssuedCertificate::record(TimePoint at) const noexcept {
  return {.device_id = id_,
          .subject = subject_,
          .serial = serial_,
          .certificate_sha256 = fingerprint_,
          .public_key_sha256 = public_key_sha256_,
          .not_before = not_before_,
          .not_after = not_after_,
          .key_kind = key_kind_,
          .at = at,
          .certificate = certificate_,
          .public_key = public_key_,
          .identity_data = identity_data_,
          .purpose = purpose_};
}

}  // namespace imprint::pipeline
