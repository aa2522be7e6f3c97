// What each format is and who says so:
//
// - preauthorize: Mender's deviceauth management API, version 2. identity_data is an object and
//   required, the key is PKIX PEM.
// - aws: the file of AWS IoT's StartThingRegistrationTask, a JSON object of template parameters in
//   each line. The certificateId of AWS IoT is the SHA-256 of the certificate's DER.
// - azure-dps: the body of "Individual Enrollment - Run Bulk Operation" (2021-10-01), ten
//   enrollments at most. The registration id has to be the common name of the certificate.

#include "export_format.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "csv_file.hpp"
#include "export_facts.hpp"
#include "imprint/base/base64.hpp"
#include "imprint/base/text.hpp"

namespace imprint::pipeline {

namespace {

using ledger::DeviceRow;
using manifest::IdentityDatum;
using Json = nlohmann::ordered_json;

class Preauthorize final : public ExportWriter {
 public:
  explicit Preauthorize(const std::vector<IdentityDatum>& otherwise) : otherwise_(otherwise) {}

  Result<> device(const DeviceRow& row, std::string& to) override {
    auto key = IMPRINT_TRY(public_key_of(row));
    Json data = IMPRINT_TRY(required_identity_data(row, otherwise_));
    to += json_line(Json{
              {"identity_data", std::move(data)}, {"pubkey", std::move(key)}, {"force", false}}) +
          '\n';
    return {};
  }

 private:
  const std::vector<IdentityDatum>& otherwise_;
};

class Csv final : public ExportWriter {
 public:
  explicit Csv(const std::vector<IdentityDatum>& otherwise) : otherwise_(otherwise) {}

  void begin(std::string& to) override {
    to +=
        "id,state,state_at,serial,subject,not_before,not_after,key,issued_at,file,reason,"
        "certificate_sha256,public_key_sha256,identity_data,public_key,certificate\n";
  }

  Result<> device(const DeviceRow& row, std::string& to) override {
    const Json data = IMPRINT_TRY(identity_data_of(row, otherwise_));
    const auto field = [&to](std::string_view text, char end = ',') {
      append_csv_field(text, to);
      to += end;
    };
    field(row.device_id);
    field(ledger::name(row.state));
    field(to_rfc3339(row.state_at));
    field(to_hex(row.serial));
    field(row.subject);
    field(to_rfc3339(row.not_before));
    field(to_rfc3339(row.not_after));
    field(row.key_kind);
    field(to_rfc3339(row.issued_at));
    field(row.file);
    field(row.reason);
    field(to_hex(row.certificate_sha256));
    field(to_hex(row.public_key_sha256));
    field(data.is_null() ? std::string() : json_line(data));
    field(to_base64(row.public_key));
    field(to_base64(row.certificate), '\n');
    return {};
  }

 private:
  const std::vector<IdentityDatum>& otherwise_;
};

/// One document, a line for each device.
class JsonDocument final : public ExportWriter {
 public:
  explicit JsonDocument(const std::vector<IdentityDatum>& otherwise) : otherwise_(otherwise) {}

  void begin(std::string& to) override { to += R"({"version":1,"devices":[)"; }

  Result<> device(const DeviceRow& row, std::string& to) override {
    Json data = IMPRINT_TRY(identity_data_of(row, otherwise_));
    Json key;
    if (!row.public_key.empty()) key = IMPRINT_TRY(public_key_of(row));
    Json certificate;
    if (!row.certificate.empty()) {
      const auto parsed = IMPRINT_TRY(certificate_of(row));
      certificate = parsed.to_pem();
    }
    const Json record = {{"id", row.device_id},
                         {"state", ledger::name(row.state)},
                         {"state_at", to_rfc3339(row.state_at)},
                         {"serial", to_hex(row.serial)},
                         {"subject", row.subject},
                         {"not_before", to_rfc3339(row.not_before)},
                         {"not_after", to_rfc3339(row.not_after)},
                         {"key", row.key_kind},
                         {"issued_at", to_rfc3339(row.issued_at)},
                         {"file", text_or_null(row.file)},
                         {"reason", text_or_null(row.reason)},
                         {"certificate_sha256", to_hex(row.certificate_sha256)},
                         {"public_key_sha256", to_hex(row.public_key_sha256)},
                         {"identity_data", std::move(data)},
                         {"public_key", std::move(key)},
                         {"certificate", std::move(certificate)}};
    to += (first_ ? "\n" : ",\n") + json_line(record);
    first_ = false;
    return {};
  }

  void end(std::string& to) override { to += "\n]}\n"; }

 private:
  static Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

  const std::vector<IdentityDatum>& otherwise_;
  bool first_ = true;
};

class Aws final : public ExportWriter {
 public:
  Result<> device(const DeviceRow& row, std::string& to) override {
    // What a thing may be called, and no longer than an id can be.
    if (row.device_id.find_first_not_of(
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:_-") !=
        std::string::npos) {
      return fail(Code::invalid_input,
                  "AWS IoT names things with letters, digits, ':', '_' and '-' alone; choose the "
                  "others with --id");
    }
    const crypto::Certificate certificate = IMPRINT_TRY(certificate_of(row));
    to += json_line(Json{{"ThingName", row.device_id},
                         {"CertificateId", to_hex(row.certificate_sha256)},
                         {"CertificatePem", certificate.to_pem()}}) +
          '\n';
    return {};
  }
};

class AzureDps final : public ExportWriter {
 public:
  Result<> device(const DeviceRow& row, std::string& to) override {
    const crypto::Certificate certificate = IMPRINT_TRY(certificate_of(row));
    std::string name = certificate.common_name();
    IMPRINT_TRY(check_registration_id(name));
    enrollments_.push_back(
        {{"registrationId", std::move(name)},
         {"deviceId", row.device_id},
         {"attestation",
          {{"type", "x509"},
           {"x509",
            {{"clientCertificates", {{"primary", {{"certificate", certificate.to_pem()}}}}}}}}},
         {"provisioningStatus", "enabled"}});
    if (enrollments_.size() == kMostInOneOperation) end(to);
    return {};
  }

  void end(std::string& to) override {
    if (enrollments_.empty()) return;
    to += json_line(Json{{"mode", "create"}, {"enrollments", std::move(enrollments_)}}) + '\n';
    enrollments_ = Json::array();
  }

 private:
  static constexpr std::size_t kMostInOneOperation = 10;
  static constexpr std::size_t kLongestId = 128;

  static Result<> check_registration_id(std::string_view name) {
    const auto is_plain = [](char c) {
      return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    };
    const auto may_be_inside = [&](char c) {
      return is_plain(c) || c == '.' || c == '_' || c == ':' || c == '-';
    };
    if (!name.empty() && name.size() <= kLongestId && is_plain(name.front()) &&
        is_plain(name.back()) && std::all_of(name.begin(), name.end(), may_be_inside)) {
      return {};
    }
    return fail(Code::invalid_input,
                fmt::format("the common name {} of its certificate, by which Azure DPS knows it, "
                            "has to be letters, digits, '.', '_', ':' and '-' (inside), at most {}",
                            quoted(name), kLongestId));
  }

  Json enrollments_ = Json::array();
};

}  // namespace

std::unique_ptr<ExportWriter> make_export_writer(
    ExportFormat format, const std::vector<manifest::IdentityDatum>& identity_data) {
  switch (format) {
    case ExportFormat::preauthorize:
      return std::make_unique<Preauthorize>(identity_data);
    case ExportFormat::csv:
      return std::make_unique<Csv>(identity_data);
    case ExportFormat::json:
      return std::make_unique<JsonDocument>(identity_data);
    case ExportFormat::aws:
      return std::make_unique<Aws>();
    case ExportFormat::azure_dps:
      return std::make_unique<AzureDps>();
  }
  return std::make_unique<JsonDocument>(identity_data);
}

}  // namespace imprint::pipeline
