#include "inject_ledger.hpp"

#include <nlohmann/json.hpp>

#include "imprint/base/version.hpp"
#include "issued_certificate.hpp"

namespace imprint::pipeline {

namespace {

std::optional<fs::path> ledger_path(const InjectRequest& request,
                                    const manifest::Manifest& manifest) {
  if (request.ledger) return request.ledger;
  if (request.certificate) return std::nullopt;
  if (request.ca_directory) return *request.ca_directory / "ledger.db";
  return manifest.authority.certificate.parent_path() / "ledger.db";
}

/// Row 0 is none.
Result<> supersede_replaced(ledger::Ledger& ledger, std::int64_t row, const Clock& clock) {
  if (row == 0) return {};
  const ledger::Outcome outcome{.certificate_row = row,
                                .state = ledger::State::superseded,
                                .file = {},
                                .digest = {},
                                .reason = "replaced in its image by inject --force",
                                .at = clock.now()};
  return ledger.record_outcomes(std::span(&outcome, 1));
}

}  // namespace

Result<InjectLedger> InjectLedger::record(const InjectRequest& request,
                                          const manifest::Manifest& manifest,
                                          const std::optional<authority::Authority>& authority,
                                          const crypto::Certificate& certificate,
                                          const std::string& identity_data, const Clock& clock) {
  InjectLedger entry;
  const auto path = ledger_path(request, manifest);
  if (!path) return entry;
  entry.path_ = fs::absolute(*path);
  entry.image_ = fs::absolute(request.output.value_or(request.image)).string();
  entry.ledger_ = IMPRINT_TRY(ledger::Ledger::open(*path));

  crypto::Sha256Digest issuer{};
  crypto::Sha256Digest issuer_key{};
  if (authority) {
    issuer = authority->certificate().fingerprint();
    issuer_key = crypto::sha256(authority->certificate().public_key_der());
  }
  entry.run_ = IMPRINT_TRY(entry.ledger_->begin_run(
      {.tool_version = kVersion,
       .command = "inject",
       .manifest_sha256 = {},
       .authority_sha256 = authority ? ByteView(issuer) : ByteView(),
       .authority_key_sha256 = authority ? ByteView(issuer_key) : ByteView(),
       .at = clock.now()}));
  const IssuedCertificate issued(request.id, certificate, ledger::Purpose::device, identity_data);
  // A certificate that was made elsewhere may be written again: the ledger has it once.
  const auto known = IMPRINT_TRY(entry.ledger_->find_public_key(issued.public_key_sha256()));
  if (known && known->certificate_sha256 == issued.fingerprint()) {
    entry.row_ = known->certificate_row;
    return entry;
  }
  const ledger::Issued record = issued.record(clock.now());
  entry.row_ = IMPRINT_TRY(entry.ledger_->record_issued(entry.run_, std::span(&record, 1)));
  return entry;
}

Result<> InjectLedger::replaces(const std::optional<crypto::Certificate>& certificate) {
  if (!ledger_ || !certificate) return {};
  const auto old = IMPRINT_TRY(ledger_->find_serial(certificate->serial()));
  if (old && old->certificate_row != row_) replaced_row_ = old->certificate_row;
  return {};
}

std::string InjectLedger::note() const {
  if (!ledger_) return {};
  return nlohmann::ordered_json{{"ledger", path_.string()},
                                {"certificate_row", row_},
                                {"replaced_row", replaced_row_},
                                {"image", image_}}
      .dump();
}

Result<> InjectLedger::conclude(ledger::State state, std::string_view reason, int exit_status,
                                const Clock& clock) {
  if (!ledger_) return {};
  const ledger::Outcome outcome{
      .certificate_row = row_,
      .state = state,
      .file = state == ledger::State::placed ? std::string_view(image_) : std::string_view(),
      .digest = {},
      .reason = reason,
      .at = clock.now()};
  IMPRINT_TRY(ledger_->record_outcomes(std::span(&outcome, 1)));
  return ledger_->end_run(run_, exit_status, clock.now());
}

Result<> InjectLedger::failed(std::string_view reason, const Clock& clock) {
  return conclude(ledger::State::failed, reason, 1, clock);
}

Result<> InjectLedger::placed(const Clock& clock) {
  if (!ledger_) return {};
  IMPRINT_TRY(supersede_replaced(*ledger_, replaced_row_, clock));
  return conclude(ledger::State::placed, {}, 0, clock);
}

Result<> InjectLedger::settle(std::string_view note, bool placed, const Clock& clock) {
  if (note.empty()) return {};
  const auto record = nlohmann::json::parse(note, nullptr, false);
  if (!record.is_object() || !record.contains("ledger") || !record["ledger"].is_string() ||
      !record.contains("certificate_row") || !record["certificate_row"].is_number_integer() ||
      !record.contains("image") || !record["image"].is_string()) {
    return fail(Code::corrupt, "the redo journal's note is damaged");
  }
  auto ledger = IMPRINT_TRY(ledger::Ledger::open(fs::path(record["ledger"].get<std::string>())));
  const auto image = record["image"].get<std::string>();
  if (placed)
    IMPRINT_TRY(supersede_replaced(ledger, record.value("replaced_row", std::int64_t{0}), clock));
  const ledger::Outcome outcome{
      .certificate_row = record["certificate_row"].get<std::int64_t>(),
      .state = placed ? ledger::State::placed : ledger::State::superseded,
      .file = placed ? std::string_view(image) : std::string_view(),
      .digest = {},
      .reason = placed ? std::string_view() : "its inject was interrupted and undone",
      .at = clock.now()};
  return ledger.record_outcomes(std::span(&outcome, 1));
}

}  // namespace imprint::pipeline
