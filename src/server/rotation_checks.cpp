// What a step of a rotation has to find. server.crt is the heart of it: a client that gets a file
// without the old trust is locked out at once, and one without the next at the switch.

#include <algorithm>

#include <fmt/format.h>

#include "contradiction.hpp"
#include "imprint/authority/describe.hpp"
#include "imprint/base/text.hpp"
#include "rotation.hpp"
#include "tree_files.hpp"

namespace imprint::server {

Result<> refuse_gap(const Run& run, std::span<const Pair> pairs) {
  const TimePoint now = run.clock.now();
  for (const Pair& pair : pairs) {
    const TimePoint end = pair.own().not_after();
    if (end <= now && !run.request.force) {
      return fail(Code::invalid_input,
                  fmt::format("{} has ended on {}: devices cannot connect, and no update brings "
                              "them another one; give --force to make the next one all the same",
                              quoted(pair.certificate_file.string()), to_rfc3339(end)));
    }
    const TimePoint next_end = now + std::chrono::hours(24) * std::int64_t{run.days()};
    if (next_end >= end) continue;
    return fail(
        Code::invalid_input,
        fmt::format("--days: the next certificate would end on {}, before the one that it "
                    "follows, {}, which ends on {}; give more days",
                    to_rfc3339(next_end), quoted(pair.certificate_file.string()), to_rfc3339(end)));
  }
  return {};
}

Result<> refuse_missing_ca(const Run& run, std::span<const Pair> pairs) {
  if (run.request.ca) return {};
  for (const Pair& pair : pairs) {
    if (pair.own().is_self_signed()) continue;
    return fail(
        Code::invalid_input,
        fmt::format("{} was signed by {}; name that CA's folder with --ca",
                    quoted(pair.certificate_file.string()), quoted(pair.own().issuer_text())));
  }
  return {};
}

Result<> refuse_untrusted(const Run& run, std::span<const Pair> pairs,
                          std::span<const crypto::Certificate> trusted) {
  for (const Pair& pair : pairs) {
    if (!trust_for(trusted, {&pair, 1}).empty()) continue;
    return fail(
        Code::invalid_input,
        fmt::format("nothing in {} is what {} can be verified with; put that certificate "
                    "or its CA there, and bring the file to all clients",
                    quoted(run.trust_path().string()), quoted(pair.certificate_file.string())));
  }
  return {};
}

namespace {

bool holds(std::span<const crypto::Certificate> certificates, const crypto::Certificate& one) {
  return std::ranges::any_of(certificates, [&one](const crypto::Certificate& certificate) {
    return certificate.fingerprint() == one.fingerprint();
  });
}

}  // namespace

Result<> refuse_strangers(const Run& run, std::span<const Pair> pairs,
                          std::span<const crypto::Certificate> trusted) {
  std::vector<Pair> known(pairs.begin(), pairs.end());
  if (run.request.ca) {
    // Somebody may have brought the next CA to the clients beforehand.
    const auto& source = run.request.ca->authority;
    auto ca = IMPRINT_TRY(authority::read_ca_certificate(source));
    known.push_back({.certificate_file = source.certificate, .certificates = {std::move(ca)}});
  }
  const auto needed = trust_for(trusted, known);
  for (std::size_t i = 0; i < trusted.size(); ++i) {
    if (holds(needed, trusted[i])) continue;
    return fail(Code::invalid_input,
                fmt::format("certificate {} of {}, {} with the serial number {}, is not what the "
                            "server's certificates are verified with, and the rotation would "
                            "drop it: take it out (clients that need it for another server can "
                            "have it among their system's certificates)",
                            i + 1, quoted(run.trust_path().string()),
                            quoted(trusted[i].subject_text()), trusted[i].serial_hex()));
  }
  return {};
}

namespace {

/// Some readers take the first certificate of a file alone, and the server shows the old one.
Result<> refuse_next_first(const Run& run, std::span<const crypto::Certificate> trusted,
                           std::span<const crypto::Certificate> old) {
  bool next_was_seen = false;
  for (const crypto::Certificate& certificate : trusted) {
    const bool is_old = holds(old, certificate);
    if (is_old && next_was_seen) {
      return fail(
          Code::invalid_input,
          fmt::format("{} holds trust for the next certificate before that for the one in "
                      "use, {}; put the latter first",
                      quoted(run.trust_path().string()), quoted(certificate.subject_text())));
    }
    next_was_seen = next_was_seen || !is_old;
  }
  return {};
}

}  // namespace

Result<> check_trust_of_both(const Run& run) {
  const auto old = IMPRINT_TRY(run.pairs());
  const auto next = IMPRINT_TRY(run.pairs(kNextFolder));
  const bool there = IMPRINT_TRY(is_there(run.trust_path()));
  if (!there) {
    return fail(Code::not_found,
                fmt::format("{} is missing; put there what {} is verified with, and after it what "
                            "{} is",
                            quoted(run.trust_path().string()),
                            quoted(old.front().certificate_file.string()),
                            quoted(next.front().certificate_file.string())));
  }
  const auto trusted = IMPRINT_TRY(read_trust(run.request.directory, run.tree.layout));
  IMPRINT_TRY(refuse_untrusted(run, old, trusted));
  IMPRINT_TRY(refuse_untrusted(run, next, trusted));
  std::vector<Pair> both = old;
  both.insert(both.end(), next.begin(), next.end());
  IMPRINT_TRY(refuse_strangers(run, both, trusted));
  return refuse_next_first(run, trusted, trust_for(trusted, old));
}

Result<> refuse_other_settings(const Run& run) {
  const auto next = IMPRINT_TRY(run.pairs(kNextFolder));
  const Settings settings{
      .servers = run.request.servers,
      .days = run.request.days,
      .ca = run.request.ca ? std::optional(run.request.ca->authority) : std::nullopt};
  return refuse_contradiction(next, settings,
                              "leave that option out; or, for another one, remove it with its "
                              "folder 'next', and its trust from 'server.crt'");
}

}  // namespace imprint::server
