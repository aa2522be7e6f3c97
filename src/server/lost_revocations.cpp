#include "lost_revocations.hpp"

#include <algorithm>
#include <set>
#include <string>

#include <fmt/format.h>

#include "imprint/base/text.hpp"

namespace imprint::server {

namespace {

/// Those who fill one by hand write capital letters, and their editors carriage returns.
std::set<std::string> serials_of(std::string_view blacklist) {
  std::set<std::string> serials;
  while (!blacklist.empty()) {
    const std::size_t end = std::min(blacklist.find('\n'), blacklist.size());
    std::string serial(blacklist.substr(0, end));
    if (serial.ends_with('\r')) serial.pop_back();
    std::ranges::transform(serial, serial.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    if (!serial.empty()) serials.insert(std::move(serial));
    blacklist.remove_prefix(std::min(end + 1, blacklist.size()));
  }
  return serials;
}

}  // namespace

Result<> refuse_lost_revocations(const fs::path& blacklist, std::string_view wanted,
                                 const fs::path& ledger) {
  const auto content = read_file(blacklist);
  if (!content && content.error().code == Code::not_found) return {};
  if (!content) return fail(content.error());
  const std::set<std::string> known = serials_of(wanted);
  const std::set<std::string> before = serials_of(text_of(*content));
  const auto lost =
      std::ranges::count_if(before, [&](const auto& serial) { return !known.contains(serial); });
  if (lost == 0) return {};
  return fail(
      Code::invalid_input,
      fmt::format("{} lists {} revoked certificate{} that the ledger {} does not have as revoked "
                  "by this CA, and that would be let in again: give the ledger of before with "
                  "--ledger, or make a new bundle elsewhere with --out",
                  quoted(blacklist.string()), lost, lost == 1 ? "" : "s", quoted(ledger.string())));
}

}  // namespace imprint::server
