#include "contradiction.hpp"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "imprint/authority/describe.hpp"
#include "imprint/base/text.hpp"
#include "imprint/crypto/examine.hpp"
#include "imprint/server/service_key.hpp"

namespace imprint::server {

namespace {

Unexpected differs(const Pair& pair, const std::string& how, std::string_view advice) {
  return fail(Code::invalid_input,
              fmt::format("{} is there already, {}; {}", quoted(pair.certificate_file.string()),
                          how, advice));
}

std::vector<std::string> sorted(std::vector<std::string> names) {
  std::ranges::transform(names, names.begin(), [](const std::string& name) {
    std::string lower = name;
    std::ranges::transform(lower, lower.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return lower;
  });
  std::ranges::sort(names);
  return names;
}

Result<> refuse_other_names(const Pair& pair, const ServerNames& names, std::string_view advice) {
  const std::string present = pair.own().common_name();
  if (!names.common_name.empty() && !equal_ignoring_ascii_case(present, names.common_name)) {
    return differs(pair, fmt::format("for {}, not {}", quoted(present), quoted(names.common_name)),
                   advice);
  }
  const std::vector<std::string> alt_names = crypto::names_of(pair.own()).alt_names;
  if (names.alt_names.empty() || sorted(alt_names) == sorted(names.alt_names)) return {};
  return differs(
      pair,
      fmt::format("with the names {}, not {}", quoted(fmt::format("{}", fmt::join(alt_names, ","))),
                  quoted(fmt::format("{}", fmt::join(names.alt_names, ",")))),
      advice);
}

}  // namespace

Result<> refuse_contradiction(std::span<const Pair> pairs, const Settings& settings,
                              std::string_view advice) {
  std::optional<crypto::Certificate> ca;
  if (settings.ca) ca = IMPRINT_TRY(authority::read_ca_certificate(*settings.ca));
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const Pair& pair = pairs[i];
    if (!settings.servers.empty())
      IMPRINT_TRY(refuse_other_names(pair, settings.servers.at(i), advice));
    const auto validity = pair.own().not_after() - pair.own().not_before();
    const auto days = std::chrono::round<std::chrono::days>(validity).count();
    if (settings.days && days != std::int64_t{*settings.days})
      return differs(pair, fmt::format("for {} days, not {}", days, *settings.days), advice);
    if (ca && !crypto::is_issued_by(pair.own(), *ca)) {
      return differs(pair, fmt::format("and {} did not sign it", quoted(ca->subject_text())),
                     advice);
    }
  }
  return {};
}

Result<> refuse_contradiction(const Deployment& tree, const Settings& settings) {
  constexpr std::string_view kAdvice = "leave that option out, or choose another folder with --out";
  const auto pairs = IMPRINT_TRY(read_pairs(tree.directory, tree.layout, {}));
  IMPRINT_TRY(refuse_contradiction(pairs, settings, kAdvice));
  if (!settings.service_key) return {};
  for (const ServiceKeys& keys : tree.services) {
    const fs::path file =
        tree.directory / service_folder(keys.service) / service_key_file(keys.ids.back());
    const crypto::KeyKind kind = IMPRINT_TRY(service_key_kind_in(file));
    if (kind == *settings.service_key) continue;
    return fail(Code::invalid_input, fmt::format("{} is there already, of the kind {}, not {}; {}",
                                                 quoted(file.string()), name(kind),
                                                 name(*settings.service_key), kAdvice));
  }
  return {};
}

}  // namespace imprint::server
