// What a device's certificate is like. A profile is a set of defaults: `mender` is what the Mender
// server wants, `idevid` what IEEE 802.1AR-2018 (clause 8) says of an initial device identifier.

#include "identity_reader.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "device_path.hpp"
#include "imprint/base/text.hpp"
#include "imprint/crypto/usage.hpp"
#include "json_members.hpp"

namespace imprint::manifest {
namespace {

// The defaults that the schema documents; docs/manifest.md has them too.
constexpr std::string_view kKeyPath = "/data/mender/mender-cert-private.pem";
constexpr std::string_view kCertificatePath = "/data/mender/mender-cert.pem";

/// The subject that a manifest without one has. IEEE 802.1AR asks of an IDevID the serial number
/// alone; a CN is what people and servers call a device by.
Result<std::vector<SubjectTemplate>> default_subject(CertificateProfile profile) {
  std::vector<SubjectTemplate> subject;
  subject.push_back({crypto::NameField::common_name, IMPRINT_TRY(Template::parse("{id}"))});
  if (profile == CertificateProfile::idevid) {
    subject.push_back({crypto::NameField::serial_number, IMPRINT_TRY(Template::parse("{serial}"))});
  }
  return subject;
}

Result<std::vector<SubjectTemplate>> read_subject(const Json& object) {
  std::vector<SubjectTemplate> subject;
  for (const auto& [key, value] : object.items()) {
    const std::string pointer = "/identity/subject/" + key;
    const auto field = IMPRINT_TRY(crypto::parse_name_field(key).context(pointer));
    Template text = IMPRINT_TRY(parse_template(value, pointer));
    if (text.is_constant())
      IMPRINT_TRY(crypto::check_name_value(field, text.constant()).context(pointer));
    subject.push_back({field, std::move(text)});
  }
  return subject;
}

Result<std::vector<AltNameTemplate>> read_san(const Json* array) {
  std::vector<AltNameTemplate> names;
  if (array == nullptr) return names;
  for (const Json& element : *array) {
    const std::string pointer = fmt::format("/identity/san/{}", names.size());
    const auto split =
        IMPRINT_TRY(crypto::split_alt_name(element.get_ref<const std::string&>()).context(pointer));
    Template text = IMPRINT_TRY(Template::parse(split.value).context(pointer));
    if (text.is_constant())
      IMPRINT_TRY(crypto::check_alt_name(split.kind, text.constant()).context(pointer));
    names.push_back({split.kind, std::move(text), std::string(split.hardware_type)});
  }
  return names;
}

/// The profile's defaults that are not the subject's or the SAN's.
IdentitySpec defaults_of(CertificateProfile profile) {
  IdentitySpec identity;
  identity.profile = profile;
  if (profile == CertificateProfile::idevid) {
    identity.key_usage = {crypto::KeyUsage::digital_signature};
    identity.extended_key_usage.clear();
    identity.subject_key_identifier = false;
    identity.validity.not_after = crypto::kNoExpiry;
    identity.validity.outlives_ca = authority::OutlivesCa::permit;
  }
  return identity;
}

/// RFC 5280 4.1.2.6; crypto says the same of every profile, but does not know the key's name.
Result<> check_has_name(const IdentitySpec& identity) {
  if (!identity.subject.empty() || !identity.san.empty()) return {};
  return fail(Code::invalid_input,
              "/identity/subject: without a subject the certificate needs names in 'san' (RFC 5280 "
              "4.1.2.6); give at least a CN");
}

bool is_hardware_module(const AltNameTemplate& name) {
  return name.kind == crypto::AltNameKind::hardware_module;
}

/// hardwareModuleName: the device's type and the serial number of its subject, before the names of
/// the manifest.
Result<> add_hardware_module(const Json& object, IdentitySpec& identity) {
  const std::string type = text_or(object, "hardware_type", "");
  const bool own = std::ranges::any_of(identity.san, is_hardware_module);
  if (identity.profile != CertificateProfile::idevid) {
    if (type.empty()) return {};
    return fail(Code::invalid_input,
                "/identity/hardware_type: belongs to profile 'idevid'; with this one write "
                "'hardwareModuleName:OID;SERIAL' into 'san'");
  }
  const auto serial = std::ranges::find(identity.subject, crypto::NameField::serial_number,
                                        &SubjectTemplate::field);
  if (serial == identity.subject.end()) {
    return fail(Code::invalid_input,
                "/identity/subject: profile 'idevid' needs a serialNumber, which tells the devices "
                "of a manufacturer apart (IEEE 802.1AR); add \"serialNumber\": \"{serial}\"");
  }
  if (own && !type.empty()) {
    return fail(Code::invalid_input,
                "/identity/hardware_type: 'san' has a hardwareModuleName already; leave one of "
                "them out");
  }
  if (own) return {};
  if (type.empty()) {
    return fail(Code::invalid_input,
                "/identity: profile 'idevid' needs 'hardware_type', the object identifier of this "
                "type of device, for the hardwareModuleName of RFC 4108 (below your enterprise "
                "number, like 1.3.6.1.4.1.99999.1)");
  }
  IMPRINT_TRY(crypto::check_object_id(type).context("/identity/hardware_type"));
  identity.san.insert(identity.san.begin(),
                      {crypto::AltNameKind::hardware_module, serial->value, type});
  return {};
}

/// Go (and with it the Mender server's proxy) knows no hardwareModuleName, and refuses a critical
/// extension of which it knows nothing.
Result<> check_critical_san(const IdentitySpec& identity) {
  if (!identity.subject.empty() || !std::ranges::all_of(identity.san, is_hardware_module))
    return {};
  return fail(Code::invalid_input,
              "/identity/subject: without a subject the SAN is critical (RFC 5280 4.2.1.6), and "
              "servers written in Go refuse a critical SAN that holds nothing but a "
              "hardwareModuleName; give a subject, or a DNS or URI name too");
}

}  // namespace

Result<std::string> read_device_path(const Json& object, const char* key,
                                     std::string_view otherwise, const std::string& pointer) {
  std::string path = text_or(object, key, otherwise);
  IMPRINT_TRY(
      check_device_path(path).context(fmt::format("{}/{}: {}", pointer, key, quoted(path))));
  return path;
}

Result<IdentitySpec> read_identity(const Json& object) {
  const bool idevid = text_or(object, "profile", "") == word(CertificateProfile::idevid);
  IdentitySpec identity =
      defaults_of(idevid ? CertificateProfile::idevid : CertificateProfile::mender);
  identity.key =
      IMPRINT_TRY(crypto::parse_key_kind(text_or(object, "key", crypto::name(identity.key)))
                      .context("/identity/key"));
  const Json* const subject = member(object, "subject");
  identity.subject = subject != nullptr ? IMPRINT_TRY(read_subject(*subject))
                                        : IMPRINT_TRY(default_subject(identity.profile));
  identity.san = IMPRINT_TRY(read_san(member(object, "san")));
  IMPRINT_TRY(check_has_name(identity));
  IMPRINT_TRY(add_hardware_module(object, identity));
  IMPRINT_TRY(check_critical_san(identity));
  IMPRINT_TRY(read_extensions(object, identity));
  IMPRINT_TRY(read_validity(object, identity));
  identity.key_path = IMPRINT_TRY(read_device_path(object, "key_path", kKeyPath, "/identity"));
  identity.certificate_path =
      IMPRINT_TRY(read_device_path(object, "certificate_path", kCertificatePath, "/identity"));
  identity.selinux = object.value("selinux", "");  // a label, says the schema
  return identity;
}

std::string_view word(CertificateProfile profile) noexcept {
  return profile == CertificateProfile::idevid ? "idevid" : "mender";
}

}  // namespace imprint::manifest
