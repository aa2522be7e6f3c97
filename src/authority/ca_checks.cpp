#include "ca_checks.hpp"

#include <fmt/format.h>

#include "imprint/base/version.hpp"

namespace imprint::authority {

using crypto::Certificate;

namespace {

Unexpected refuse(std::string_view why) {
  return fail(Code::invalid_input, std::string(why));
}

}  // namespace

Result<> check_may_issue(const Certificate& ca) {
  if (ca.version() < 3) {
    if (ca.is_self_signed()) return {};
    return refuse("is no CA certificate: it is an X.509 v1 certificate that another CA has issued");
  }
  if (!ca.has_basic_constraints()) {
    return refuse(
        "is no CA certificate: it has no basicConstraints, without which clients and servers do "
        "not "
        "accept what it signs; make the CA with basicConstraints=critical,CA:TRUE (imprint ca init "
        "does)");
  }
  if (!ca.is_ca()) {
    return refuse(
        "is no CA certificate: its basicConstraints say CA:FALSE; name the certificate of the CA "
        "itself");
  }
  if (!ca.may_sign_certificates()) {
    return refuse(
        "may not sign certificates: its keyUsage lacks keyCertSign; name the CA that issues "
        "devices");
  }
  if (const auto extension = ca.unhandled_critical_extension()) {
    return refuse(
        fmt::format("has a critical extension that verifiers do not know ({}), so they refuse all "
                    "that it signs; make the CA without it",
                    *extension));
  }
  if (ca.has_weak_signature() && !ca.is_self_signed()) {
    return refuse(
        fmt::format("is signed with {}, which is broken, and verifiers refuse it; have the CA "
                    "above it issue it anew with SHA-256",
                    ca.signature_algorithm()));
  }
  return {};
}

Result<> check_clock(TimePoint now) {
  const std::chrono::year_month_day today(std::chrono::floor<std::chrono::days>(now));
  if (static_cast<int>(today.year()) >= kBuildYear) return {};
  return refuse(
      fmt::format("the clock of this machine says {}, before this program was built ({}); set it: "
                  "the certificates would start then",
                  to_rfc3339(now), kBuildYear));
}

Result<> check_valid_at(const Certificate& ca, TimePoint now) {
  if (now > ca.not_after()) {
    return refuse(fmt::format("expired on {} (now it is {}); renew the CA, or set the clock",
                              to_rfc3339(ca.not_after()), to_rfc3339(now)));
  }
  if (now < ca.not_before()) {
    return refuse(fmt::format("is not valid before {} (now it is {}); wait, or set the clock",
                              to_rfc3339(ca.not_before()), to_rfc3339(now)));
  }
  return {};
}

}  // namespace imprint::authority
