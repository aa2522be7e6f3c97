// What an ending means, in words, with what to do about it.

#include "verdict.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "answer.hpp"
#include "imprint/base/text.hpp"
#include "imprint/crypto/examine.hpp"

namespace imprint::handshake {

namespace {

using crypto::Certificate;
using crypto::TlsDistrust;
using Kind = Ending::Kind;

bool holds(const std::vector<Certificate>& list, const Certificate& certificate) {
  return std::ranges::any_of(
      list, [&](const Certificate& one) { return one.fingerprint() == certificate.fingerprint(); });
}

/// Whom the image trusts: `'/etc/mender/server.crt' (CN=A; CN=B) and 140 CAs of the system`.
std::string trust_text(const Device& device) {
  const std::string system = device.system_trust.empty()
                                 ? "no CAs of the system"
                                 : fmt::format("{} CAs of the system", device.system_trust.size());
  if (!device.server_certificate) return "no 'ServerCertificate' and " + system;
  constexpr std::size_t kNamed = 3;
  std::string names;
  for (std::size_t i = 0; i < std::min(kNamed, device.own_trust.size()); ++i)
    names += (i == 0 ? "" : "; ") + printable(device.own_trust[i].subject_text());
  if (device.own_trust.size() > kNamed)
    names += fmt::format(" and {} more", device.own_trust.size() - kNamed);
  return fmt::format("{} ({}) and {}", quoted(*device.server_certificate),
                     names.empty() ? "which cannot be loaded" : names, system);
}

std::string verified_text(const Device& device, const crypto::TlsFacts& facts) {
  if (facts.server_chain.empty()) return {};
  if (!facts.anchor) return "nothing: " + facts.distrust_reason;
  const std::string name = printable(facts.anchor->subject_text());
  return holds(device.own_trust, *facts.anchor)
             ? fmt::format("{} of {}", name, quoted(device.server_certificate.value_or("")))
             : name + " of the system's CAs";
}

/// Why the device would not go on, and what to do.
std::string distrust_text(const Report& report, const Outcome& outcome) {
  const crypto::TlsFacts& facts = outcome.facts;
  const Certificate& server = facts.server_chain.front();
  const std::string subject = quoted(server.subject_text());
  switch (facts.distrust) {
    case TlsDistrust::issuer:
      return fmt::format(
          "the device does not trust the server: its certificate {} is signed by {}, and the image "
          "trusts {}; put the server's CA into the image as 'ServerCertificate'",
          subject, quoted(facts.server_chain.back().issuer_text()), trust_text(outcome.device));
    case TlsDistrust::name:
      return fmt::format(
          "the device does not trust the server: its certificate {} is for {}, not for {}; "
          "say the right name (--server-name, or ServerURL in the image)",
          subject,
          printable(fmt::format("{}", fmt::join(crypto::names_of(server).alt_names, ", "))),
          quoted(report.server_name));
    case TlsDistrust::expired:
      if (server.not_after() < outcome.now) {
        return fmt::format(
            "the device does not trust the server: its certificate {} ended on {}; renew it",
            subject, to_rfc3339(server.not_after()));
      }
      return fmt::format(
          "the device does not trust the server: a CA above its certificate {} has ended; have it "
          "issued anew",
          subject);
    case TlsDistrust::not_yet_valid:
      return fmt::format(
          "the device does not trust the server: its certificate {}, or one above it, is not valid "
          "yet; look at the clocks",
          subject);
    case TlsDistrust::none:
    case TlsDistrust::other:
      break;
  }
  return fmt::format("the device does not trust the server: its certificate {} does not verify: {}",
                     subject, facts.distrust_reason);
}

/// What can be seen from here of why a server refuses the certificate.
std::string hint(const Report& report, const Outcome& outcome) {
  const Certificate& own = report.identity;
  if (own.not_after() < outcome.now) {
    return fmt::format("the certificate ended on {}: give the image a new identity",
                       to_rfc3339(own.not_after()));
  }
  if (own.not_before() > outcome.now)
    return fmt::format("the certificate is valid from {} on only", to_rfc3339(own.not_before()));
  if (report.asked && report.sent.empty()) {
    return "no certificate was sent, because the server takes no signatures of its kind of key: "
           "issue it with another";
  }
  constexpr std::uint8_t kRevoked = 44;
  if (outcome.facts.alert == kRevoked) {
    return "the server has it on its list of revoked certificates: give the image a new identity, "
           "or "
           "have it taken off the list";
  }
  const bool of_a_wanted_ca = std::ranges::any_of(report.sent, [&](const Certificate& sent) {
    return std::ranges::find(report.asked_of, sent.issuer_text()) != report.asked_of.end();
  });
  if (!report.asked_of.empty() && !of_a_wanted_ca) {
    return fmt::format(
        "it is issued by {}, which is none of the CAs that the server asks for: give the server "
        "that CA's certificate too (gateway-ca.pem)",
        quoted(own.issuer_text()));
  }
  return "the server's log says why (a CA it does not know, revoked, an intermediate CA that its "
         "file lacks)";
}

Unexpected no_connection(const Report& report, std::string_view why) {
  return fail(Code::io, fmt::format("{} ({}): {}", quoted(report.server), report.address, why));
}

void refuse(Report& report, std::string why) {
  report.verdict = Verdict::refused;
  report.reason = std::move(why);
}

void judge_alert(Report& report, const Outcome& outcome) {
  const std::string name = crypto::tls_alert_name(outcome.facts.alert.value_or(0));
  report.answer = fmt::format("TLS alert {}", quoted(name));
  if (!outcome.facts.certificate_requested) {
    return refuse(report, fmt::format("the server ended the handshake before it asked for a "
                                      "certificate: TLS alert {}; its log says why",
                                      quoted(name)));
  }
  refuse(report, fmt::format("the server refuses the certificate: TLS alert {}; {}", quoted(name),
                             hint(report, outcome)));
}

void judge_answer(Report& report, const Outcome& outcome) {
  const auto answer = parse_answer(outcome.ending.answer);
  if (!answer) {
    report.answer = "something that is not HTTP";
    return refuse(report, "the server answered with something that is not HTTP: is it the edge?");
  }
  report.answer = fmt::format("HTTP {} {}", answer->status, answer->reason);
  if (!outcome.facts.certificate_requested) {
    report.verdict = Verdict::not_asked;
    report.reason =
        "the server asked for no certificate, so that it proves nothing: is it the edge, and does "
        "it "
        "demand certificates (nginx: ssl_verify_client on)?";
    return;
  }
  if (is_refusal(*answer)) {
    if (!answer->said.empty()) report.answer += fmt::format(", {}", quoted(answer->said));
    return refuse(report, fmt::format("the server refuses the certificate: {}; {}", report.answer,
                                      hint(report, outcome)));
  }
  if (report.sent.empty())
    return refuse(
        report, fmt::format("the server answers {}, but {}", report.answer, hint(report, outcome)));
  report.verdict = Verdict::accepted;
  if (answer->status >= 500) {
    report.warnings.push_back(
        fmt::format("the edge lets the device in, but answers {}: look at the "
                    "server behind it",
                    report.answer));
  }
}

Result<> judge_end(Report& report, const Outcome& outcome) {
  const bool reset = outcome.ending.kind == Kind::reset;
  report.answer = reset ? "connection reset" : "connection closed without a word";
  if (outcome.facts.version.empty()) {
    return no_connection(
        report, fmt::format("{} at the first TLS message; is it a TLS server?", report.answer));
  }
  if (!outcome.facts.certificate_requested) {
    return no_connection(report,
                         fmt::format("{} in the middle; its log may say why", report.answer));
  }
  refuse(report, fmt::format("the server ended the connection instead of answering ({}); {}",
                             report.answer, hint(report, outcome)));
  return {};
}

}  // namespace

Result<> judge(Report& report, const Outcome& outcome) {
  const crypto::TlsFacts& facts = outcome.facts;
  report.verified_by = verified_text(outcome.device, facts);
  if (outcome.device.skip_verify) {
    report.warnings.emplace_back(
        "'SkipVerify' is set: the device takes any server for the right one");
  }
  switch (outcome.ending.kind) {
    case Kind::answered:
      judge_answer(report, outcome);
      return {};
    case Kind::closed:
    case Kind::reset:
      return judge_end(report, outcome);
    case Kind::timed_out:
      return no_connection(report, facts.finished
                                       ? "the handshake is done, but no answer to a request comes "
                                         "in time; look at the server, or give more --timeout"
                                       : "no answer to the TLS handshake in time; is it a TLS "
                                         "server? If it is slow, give more --timeout");
    case Kind::no_tls:
      return no_connection(report, "it does not speak TLS; check the port");
    case Kind::failed:
      break;
  }
  if (facts.alert) {
    judge_alert(report, outcome);
    return {};
  }
  if (facts.distrust != TlsDistrust::none && !outcome.device.skip_verify) {
    report.verdict = Verdict::untrusted;
    report.answer = "the server's certificate";
    report.reason = distrust_text(report, outcome);
    return {};
  }
  return no_connection(report, "no TLS 1.2 or 1.3 comes about: " + facts.failure);
}

}  // namespace imprint::handshake
