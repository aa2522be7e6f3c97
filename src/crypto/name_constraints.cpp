#include "imprint/crypto/name_constraints.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <openssl/x509_vfy.h>

#include "builder.hpp"
#include "imprint/base/text.hpp"
#include "native.hpp"

namespace imprint::crypto {

namespace {

using ConstraintsPtr = std::unique_ptr<NAME_CONSTRAINTS, Freer<NAME_CONSTRAINTS_free>>;

struct OneAuthority {
  std::string subject;
  ConstraintsPtr constraints;
};

bool has_dns_name(const ProfileSpec& spec) {
  return std::ranges::any_of(
      spec.alt_names, [](const ProfileAltName& name) { return name.kind == AltNameKind::dns; });
}

/// What X509_verify_cert does with a leaf: a CN that looks like a host name counts as one when
/// there is no dNSName.
int broken_constraint(X509* leaf, NAME_CONSTRAINTS* constraints, bool check_common_name) {
  const int broken = NAME_CONSTRAINTS_check(leaf, constraints);
  if (broken != X509_V_OK || !check_common_name) return broken;
  return NAME_CONSTRAINTS_check_CN(leaf, constraints);
}

}  // namespace

struct NameConstraints::Impl {
  std::vector<OneAuthority> authorities;
  KeyPtr key;  ///< some key: a certificate is not parsed without one
};

NameConstraints::NameConstraints(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

NameConstraints::NameConstraints(NameConstraints&&) noexcept = default;
NameConstraints& NameConstraints::operator=(NameConstraints&&) noexcept = default;
NameConstraints::~NameConstraints() = default;

Result<NameConstraints> NameConstraints::of(std::span<const Certificate> authorities) {
  auto impl = std::make_unique<Impl>();
  for (const Certificate& authority : authorities) {
    int place = -1;
    ConstraintsPtr constraints(static_cast<NAME_CONSTRAINTS*>(
        X509_get_ext_d2i(native_of(authority), NID_name_constraints, &place, nullptr)));
    if (constraints == nullptr && place != -1) {
      return fail(openssl_error(Code::unsupported, fmt::format("reading the nameConstraints of {}",
                                                               quoted(authority.subject_text()))));
    }
    if (constraints != nullptr)
      impl->authorities.push_back({authority.subject_text(), std::move(constraints)});
  }
  if (!impl->authorities.empty()) {
    impl->key.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
    if (impl->key == nullptr) return fail(openssl_error(Code::crypto, "generating a key"));
  }
  return NameConstraints(std::move(impl));
}

bool NameConstraints::empty() const noexcept {
  return impl_->authorities.empty();
}

Result<> NameConstraints::check(const ProfileSpec& spec, std::span<const std::string_view> slots,
                                const Certificate& issuer) const {
  if (empty()) return {};
  // Only names are looked at: serial, key and signature can be anything.
  DeviceValues device;
  device.serial.fill(std::byte{0x40});
  device.public_key = impl_->key.get();
  device.slots = slots;
  constexpr auto kAlgorithm = SignatureAlgorithm::ecdsa_sha256;
  constexpr std::array<std::byte, 1> kNoSignature{};
  const Bytes tbs = IMPRINT_TRY(build_device_tbs(spec, issuer, kAlgorithm, device));
  const Bytes der = assemble_certificate(tbs, kAlgorithm, kNoSignature);
  const Certificate leaf = IMPRINT_TRY(certificate_from_der(der));
  for (const OneAuthority& authority : impl_->authorities) {
    const int broken =
        broken_constraint(native_of(leaf), authority.constraints.get(), !has_dns_name(spec));
    if (broken == X509_V_OK) continue;
    return fail(
        Code::invalid_input,
        fmt::format("the CA {} does not allow the names of this device: {} (its "
                    "nameConstraints, RFC 5280 4.2.1.10); change the subject or the SAN, or "
                    "use another CA",
                    quoted(authority.subject), X509_verify_cert_error_string(broken)));
  }
  return {};
}

}  // namespace imprint::crypto
