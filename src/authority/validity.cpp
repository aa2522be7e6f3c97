#include "imprint/authority/validity.hpp"

#include <fmt/format.h>

namespace imprint::authority {

namespace {

using Days = std::chrono::duration<std::int64_t, std::ratio<86400>>;

/// Before it, RFC 5280's times have no form.
constexpr TimePoint kFirstTime{std::chrono::sys_days{std::chrono::year(1950) / 1 / 1}};

std::string end_text(TimePoint end) {
  return end == crypto::kNoExpiry ? "9999 (no expiry)" : to_rfc3339(end);
}

Unexpected refuse(std::string why) {
  return fail(Code::invalid_input, std::move(why));
}

/// When it begins, as wished.
Result<TimePoint> wished_start(const ValiditySpec& spec, TimePoint now, TimePoint ca_end) {
  const auto* backdating = std::get_if<std::chrono::seconds>(&spec.not_before);
  const TimePoint start =
      backdating != nullptr ? now - *backdating : std::get<TimePoint>(spec.not_before);
  if (start < kFirstTime) {
    return refuse(
        fmt::format("{} is before 1950, where the times of certificates begin", to_rfc3339(start)));
  }
  if (start < ca_end) return start;
  return refuse(
      fmt::format("a certificate from {} would begin after its CA has ended, on {}; begin "
                  "earlier, or use a CA that lasts longer",
                  to_rfc3339(start), to_rfc3339(ca_end)));
}

/// When it ends, as wished.
Result<TimePoint> wished_end(const ValiditySpec& spec, TimePoint start, TimePoint now) {
  TimePoint end;
  if (const auto* days = std::get_if<std::uint32_t>(&spec.not_after)) {
    if (*days == 0) return refuse("a certificate for 0 days is never valid; give at least 1");
    end = start + Days(*days);
    if (end > crypto::kNoExpiry) {
      return refuse(
          fmt::format("{} days lead past the year 9999, the last a certificate can name", *days));
    }
  } else {
    end = std::get<TimePoint>(spec.not_after);
  }
  if (end <= start) {
    return refuse(fmt::format("a certificate from {} to {} is never valid", to_rfc3339(start),
                              to_rfc3339(end)));
  }
  if (end > now) return end;
  return refuse(fmt::format("a certificate until {} has ended already (now it is {})",
                            to_rfc3339(end), to_rfc3339(now)));
}

Result<> fit_start(LeafValidity& validity, TimePoint ca_start, OutlivesCa policy) {
  if (validity.not_before >= ca_start) return {};
  const std::string begins = to_rfc3339(validity.not_before);
  const std::string ca_begins = to_rfc3339(ca_start);
  switch (policy) {
    case OutlivesCa::error:
      return refuse(
          fmt::format("a certificate from {} would begin before its CA, which begins on {}; "
                      "before that nobody can verify it: begin later, or say \"outlives_ca\": "
                      "\"truncate\" to begin with the CA",
                      begins, ca_begins));
    case OutlivesCa::truncate:
      validity.not_before = ca_start;
      validity.cut = true;
      validity.notes.push_back(
          fmt::format("certificates begin with their CA on {}, not on {}", ca_begins, begins));
      return {};
    case OutlivesCa::permit:
      validity.warnings.push_back(
          fmt::format("certificates begin on {}, before their CA, which begins on {}: in "
                      "between nobody can verify them",
                      begins, ca_begins));
      return {};
  }
  return {};
}

Unexpected refuse_end(const LeafValidity& validity, const ValiditySpec& spec, TimePoint ca_end) {
  std::string advice = "use a CA that lasts longer";
  const auto fitting = std::chrono::floor<Days>(ca_end - validity.not_before).count();
  if (std::holds_alternative<TimePoint>(spec.not_after)) {
    advice = fmt::format("end by {}, or {}", to_rfc3339(ca_end), advice);
  } else if (fitting > 0) {
    advice = fmt::format("give at most {} days, or {}", fitting, advice);
  }
  return refuse(fmt::format("a certificate until {} would outlive its CA, which ends on {}; {}",
                            end_text(validity.not_after), to_rfc3339(ca_end), advice));
}

Result<> fit_end(LeafValidity& validity, const ValiditySpec& spec, TimePoint ca_end) {
  if (validity.not_after <= ca_end) return {};
  if (spec.outlives_ca == OutlivesCa::permit) {
    validity.warnings.push_back(
        fmt::format("certificates are valid until {} and outlive their CA, which ends on "
                    "{}: after that they verify only under a renewed certificate of the CA",
                    end_text(validity.not_after), to_rfc3339(ca_end)));
    return {};
  }
  // Within a day of it nobody means to outlive the CA: a CA and devices made on one day "for ten
  // years" both.
  const bool small = validity.not_after - ca_end < Days(1);
  if (spec.outlives_ca == OutlivesCa::error && !small) return refuse_end(validity, spec, ca_end);
  validity.notes.push_back(small ? "certificates end with their CA, up to a day early"
                                 : fmt::format("certificates end with their CA on {}, not in {}",
                                               to_rfc3339(ca_end), end_text(validity.not_after)));
  validity.not_after = ca_end;
  validity.cut = true;
  return {};
}

}  // namespace

std::string_view word(OutlivesCa policy) noexcept {
  switch (policy) {
    case OutlivesCa::error:
      return "error";
    case OutlivesCa::truncate:
      return "truncate";
    case OutlivesCa::permit:
      return "permit";
  }
  return "error";
}

Result<TimePoint> leaf_start(const Authority& authority, const ValiditySpec& spec, TimePoint now) {
  const crypto::Certificate& ca = authority.certificate();
  LeafValidity validity;
  validity.not_before = IMPRINT_TRY(wished_start(spec, now, ca.not_after()));
  IMPRINT_TRY(fit_start(validity, ca.not_before(), spec.outlives_ca));
  return validity.not_before;
}

Result<LeafValidity> leaf_validity(const Authority& authority, const ValiditySpec& spec,
                                   TimePoint now) {
  const crypto::Certificate& ca = authority.certificate();
  LeafValidity validity;
  validity.not_before = IMPRINT_TRY(wished_start(spec, now, ca.not_after()));
  validity.not_after = IMPRINT_TRY(wished_end(spec, validity.not_before, now));
  IMPRINT_TRY(fit_start(validity, ca.not_before(), spec.outlives_ca));
  IMPRINT_TRY(fit_end(validity, spec, ca.not_after()));
  if (validity.not_before > now) {
    validity.warnings.push_back(fmt::format("certificates are not valid before {} (now it is {})",
                                            to_rfc3339(validity.not_before), to_rfc3339(now)));
  }
  return validity;
}

}  // namespace imprint::authority
