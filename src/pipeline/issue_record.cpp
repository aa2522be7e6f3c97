#include "issue_record.hpp"

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "imprint/base/version.hpp"
#include "issued_certificate.hpp"

namespace imprint::pipeline {

Result<IssueRecord> IssueRecord::begin(const Issue& issue, const crypto::Certificate& certificate,
                                       const crypto::Certificate& ca, const Clock& clock) {
  IssueRecord record(IMPRINT_TRY(ledger::Ledger::open(issue.ledger)));
  const IssuedCertificate issued(issue.id, certificate, issue.purpose, issue.identity_data);
  if (const auto known = IMPRINT_TRY(record.ledger_.find_public_key(issued.public_key_sha256()))) {
    return fail(Code::invalid_input,
                fmt::format("the key was certified before, for {} (serial {}, ledger {}); a key "
                            "serves one certificate: make a new one",
                            quoted(known->device_id), to_hex(known->serial),
                            quoted(issue.ledger.string())));
  }
  record.run_ = IMPRINT_TRY(
      record.ledger_.begin_run({.tool_version = kVersion,
                                .command = issue.command,
                                .manifest_sha256 = {},
                                .authority_sha256 = ca.fingerprint(),
                                .authority_key_sha256 = crypto::sha256(ca.public_key_der()),
                                .at = clock.now()}));
  const ledger::Issued entry = issued.record(clock.now());
  record.row_ = IMPRINT_TRY(record.ledger_.record_issued(record.run_, std::span(&entry, 1)));
  return record;
}

Result<> IssueRecord::end(ledger::State state, const std::string& file, const std::string& reason,
                          const Clock& clock) {
  const ledger::Outcome outcome{.certificate_row = row_,
                                .state = state,
                                .file = file,
                                .digest = {},
                                .reason = reason,
                                .at = clock.now()};
  IMPRINT_TRY(ledger_.record_outcomes(std::span(&outcome, 1)));
  return ledger_.end_run(run_, state == ledger::State::placed ? 0 : 1, clock.now());
}

Result<> IssueRecord::placed(const fs::path& file, const Clock& clock) {
  return end(ledger::State::placed, fs::absolute(file).lexically_normal().string(), {}, clock);
}

Error IssueRecord::failed(Error why, const Clock& clock) {
  const Result<> told = end(ledger::State::failed, {}, why.message(), clock);
  return told ? why : std::move(why).context(told.error().message());
}

}  // namespace imprint::pipeline
