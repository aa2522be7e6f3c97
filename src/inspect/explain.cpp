// Objects in words: what each is for, until when, and which of the others it belongs to.

#include <algorithm>

#include <fmt/format.h>

#include "found.hpp"
#include "imprint/base/text.hpp"
#include "imprint/crypto/crl_reader.hpp"

namespace imprint::inspect {

namespace {

using crypto::Certificate;

/// 2048 bits are what verifiers ask for today; devices get no less.
constexpr std::string_view kOtherKey = "of a kind or size that devices do not use";

std::string key_text(const std::optional<crypto::KeyKind>& kind) {
  return std::string(kind ? crypto::name(*kind) : kOtherKey);
}

std::string day_of(TimePoint time) {
  return to_rfc3339(time).substr(0, 10);
}

std::string time_left(TimePoint end, TimePoint now) {
  if (end == crypto::kNoExpiry) return "no expiry";
  const auto days = std::chrono::floor<std::chrono::days>(end - now).count();
  return days < 0 ? "over" : fmt::format("{} days left", days);
}

bool contains(const std::vector<std::string>& list, std::string_view word) {
  return std::ranges::find(list, word) != list.end();
}

std::string authority_text(const Certificate& certificate) {
  if (certificate.version() < 3) return "root CA, X.509 v1";
  std::string text = certificate.is_self_signed() ? "root CA" : "intermediate CA";
  if (const auto length = certificate.path_length()) {
    text += *length == 0 ? ", for certificates that are no CAs"
                         : fmt::format(", with {} CAs below it at most", *length);
  }
  return text;
}

bool is_authority(const Certificate& certificate) {
  return certificate.is_ca() || (certificate.version() < 3 && certificate.is_self_signed());
}

std::string purpose_text(const Certificate& certificate, const crypto::CertificateNames& names) {
  if (is_authority(certificate)) return authority_text(certificate);
  const std::string own = certificate.is_self_signed() ? ", signed by itself" : "";
  if (!names.purposes) return "for any purpose" + own;
  const bool server = contains(*names.purposes, "serverAuth");
  const bool client = contains(*names.purposes, "clientAuth");
  if (server && client) return "TLS server and TLS client" + own;
  if (server) return "TLS server" + own;
  if (client) return "TLS client, as a device is" + own;
  return fmt::format("for {}{}", fmt::join(*names.purposes, ", "), own);
}

/// Explains one object among all.
class Explainer {
 public:
  Explainer(const std::vector<Found>& all, const Found& found, TimePoint now)
      : all_(all),
        found_(found),
        now_(now) {
    entry_.place = found.place();
  }

  Entry run() {
    std::visit([this](const auto& object) { explain(object); }, found_.object);
    return std::move(entry_);
  }

 private:
  void fact(std::string_view label, std::string text) {
    if (!text.empty()) entry_.facts.push_back({label, std::move(text)});
  }

  void warn(std::string text) { entry_.warnings.push_back(std::move(text)); }

  /// The other objects of one type.
  template <class Object, class Visit>
  void for_each_other(Visit visit) const {
    for (const Found& other : all_) {
      if (&other == &found_) continue;
      if (const auto* object = std::get_if<Object>(&other.object)) visit(other, *object);
    }
  }

  /// Where the objects of this public key are.
  template <class Object>
  [[nodiscard]] std::string places_of_key(const Bytes& public_key_der) const {
    std::vector<std::string> places;
    for_each_other<Object>([&](const Found& other, const Object& object) {
      if (key_of(object) == public_key_der && !public_key_der.empty())
        places.push_back(printable(other.place()));
    });
    return fmt::format("{}", fmt::join(places, ", "));
  }

  static Bytes key_of(const Certificate& certificate) { return certificate.public_key_der(); }

  static Bytes key_of(const crypto::PrivateKeyFacts& key) { return key.public_key_der; }

  void explain(const Certificate& certificate) {
    const crypto::CertificateNames names = crypto::names_of(certificate);
    entry_.kind = Kind::certificate;
    entry_.name = printable(certificate.subject_text());
    if (const Found* same = earlier_copy(certificate))
      return fact("the same as", printable(same->place()));
    entry_.ends = certificate.not_after();
    fact("is", purpose_text(certificate, names));
    fact("names", printable(fmt::format("{}", fmt::join(names.alt_names, ", "))));
    fact("valid", fmt::format("{} to {} ({})", to_rfc3339(certificate.not_before()),
                              to_rfc3339(certificate.not_after()),
                              time_left(certificate.not_after(), now_)));
    fact("signed by", issuer_text(certificate));
    fact("signature", certificate.signature_algorithm());
    fact("key", key_text(certificate.key_kind()));
    fact("private key", places_of_key<crypto::PrivateKeyFacts>(certificate.public_key_der()));
    fact("serial", certificate.serial_hex());
    fact("sha256", to_hex(certificate.fingerprint()));
    warn_of(certificate, names);
  }

  /// Bundles repeat what stands in files of its own; once is enough to be told, and to be warned.
  [[nodiscard]] const Found* earlier_copy(const Certificate& certificate) const {
    for (const Found& other : all_) {
      if (&other == &found_) break;
      const auto* before = std::get_if<Certificate>(&other.object);
      if (before != nullptr && before->fingerprint() == certificate.fingerprint()) return &other;
    }
    return nullptr;
  }

  [[nodiscard]] std::string issuer_text(const Certificate& certificate) {
    if (certificate.is_self_signed()) return "itself";
    std::string text;
    for_each_other<Certificate>([&](const Found& other, const Certificate& issuer) {
      if (!text.empty() || !crypto::is_issued_by(certificate, issuer)) return;
      text = fmt::format("{} ({})", printable(issuer.subject_text()), printable(other.place()));
      if (certificate.not_after() > issuer.not_after()) {
        warn(fmt::format("outlives its CA, which ends on {}: nobody accepts it after that",
                         day_of(issuer.not_after())));
      }
    });
    return text.empty() ? printable(certificate.issuer_text()) + " (not here)" : text;
  }

  void warn_of(const Certificate& certificate, const crypto::CertificateNames& names) {
    if (certificate.not_after() < now_)
      warn(fmt::format("expired on {}", day_of(certificate.not_after())));
    if (certificate.not_before() > now_)
      warn(fmt::format("not valid before {}", to_rfc3339(certificate.not_before())));
    if (certificate.has_weak_signature() && !certificate.is_self_signed())
      warn("signed with a digest that verifiers no longer accept; have it issued again");
    const bool server = names.purposes && contains(*names.purposes, "serverAuth");
    if (server && names.alt_names.empty())
      warn("has no subjectAltName, and clients look for the server's name nowhere else");
    if (const auto critical = certificate.unhandled_critical_extension())
      warn(fmt::format("has the critical extension {}, because of which OpenSSL refuses it",
                       *critical));
  }

  void explain(const crypto::PrivateKeyFacts& key) {
    entry_.kind = Kind::private_key;
    entry_.name = key.encrypted ? "encrypted" : key_text(key.kind);
    fact("form", key.form);
    fact("mode", fmt::format("{:04o}", found_.mode));
    if ((found_.mode & 077U) != 0) {
      warn(fmt::format("others than its owner may use the file (mode {:04o}); chmod 600",
                       found_.mode));
    }
    if (key.encrypted) return fact("belongs to", "not known without its passphrase");
    fact("belongs to", places_of_key<Certificate>(key.public_key_der));
    fact("sha256", to_hex(crypto::sha256(key.public_key_der)));
    warn_of_mixture(key);
  }

  /// The only key of a folder that has certificates, but none of this key: two were mixed up.
  void warn_of_mixture(const crypto::PrivateKeyFacts& key) {
    bool other_key = false;
    bool certificate_beside = false;
    bool own_certificate = false;
    for (const Found& other : all_) {
      if (other.folder != found_.folder || &other == &found_) continue;
      if (std::holds_alternative<crypto::PrivateKeyFacts>(other.object)) other_key = true;
      if (const auto* certificate = std::get_if<Certificate>(&other.object)) {
        certificate_beside = true;
        own_certificate |= certificate->public_key_der() == key.public_key_der;
      }
    }
    if (certificate_beside && !own_certificate && !other_key)
      warn("is the key of none of the certificates beside it");
  }

  void explain(const crypto::PublicKeyFacts& key) {
    entry_.kind = Kind::public_key;
    entry_.name = key_text(key.kind);
    fact("private key", places_of_key<crypto::PrivateKeyFacts>(key.der));
    fact("certificate", places_of_key<Certificate>(key.der));
    fact("sha256", to_hex(crypto::sha256(key.der)));
  }

  void explain(const crypto::RequestFacts& request) {
    entry_.kind = Kind::request;
    entry_.name = printable(request.subject);
    fact("key", key_text(request.key.kind));
    fact("private key", places_of_key<crypto::PrivateKeyFacts>(request.key.der));
    fact("certificate", places_of_key<Certificate>(request.key.der));
  }

  void explain(const crypto::RevocationListFacts& list) {
    entry_.kind = Kind::revocation_list;
    entry_.name = fmt::format("{} revoked", list.entries);
    entry_.ends = list.next_update;
    std::string issuer = printable(list.issuer);
    for_each_other<Certificate>([&](const Found& other, const Certificate& ca) {
      if (crypto::subject_der(ca) == list.issuer_der && is_authority(ca))
        issuer = fmt::format("{} ({})", printable(list.issuer), printable(other.place()));
    });
    fact("of", issuer);
    fact("number", list.number_hex);
    fact("made", to_rfc3339(list.this_update));
    if (!list.next_update) return;
    fact("next due",
         fmt::format("{} ({})", to_rfc3339(*list.next_update), time_left(*list.next_update, now_)));
    if (*list.next_update < now_)
      warn(fmt::format("overdue since {}: verifiers refuse every certificate of this CA",
                       day_of(*list.next_update)));
  }

  void explain(const crypto::UnknownObject& object) {
    entry_.name = printable(object.label);
    if (!object.damaged) return fact("is", printable(object.reason));
    entry_.damaged = true;
    warn(printable(object.reason));
  }

  const std::vector<Found>& all_;
  const Found& found_;
  TimePoint now_;
  Entry entry_ = {};
};

}  // namespace

std::vector<Entry> explain(const std::vector<Found>& objects, TimePoint now) {
  std::vector<Entry> entries;
  entries.reserve(objects.size());
  for (const Found& found : objects)
    entries.push_back(Explainer(objects, found, now).run());
  return entries;
}

}  // namespace imprint::inspect
