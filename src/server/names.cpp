#include "imprint/server/names.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "imprint/crypto/name.hpp"

namespace imprint::server {

namespace {

using crypto::AltNameKind;

bool is_address(std::string_view text) {
  return crypto::check_alt_name(AltNameKind::ip, text).has_value();
}

Unexpected refuse(std::string_view name, std::string_view rule) {
  return fail(Code::invalid_input, fmt::format("{} {}", quoted(name), rule));
}

Result<> check_host(std::string_view name) {
  if (name.find('*') != std::string_view::npos) IMPRINT_TRY(crypto::check_wildcard(name));
  IMPRINT_TRY(crypto::check_alt_name(AltNameKind::dns, name));
  const std::string_view last = name.substr(name.rfind('.') + 1);
  if (std::ranges::all_of(last, [](char c) { return c >= '0' && c <= '9'; })) {
    return refuse(name,
                  "is neither a host name, whose last label is no number, nor an IP address; write "
                  "an address like 192.0.2.1 or 2001:db8::1");
  }
  return {};
}

/// An address has many spellings (`2001:DB8:0:0:0:0:0:1`), and one that all use.
std::string usual_form(std::string_view address) {
  const Bytes octets = crypto::alt_name_octets(AltNameKind::ip, address);
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(octets.size() == 4 ? AF_INET : AF_INET6, octets.data(), text.data(), text.size());
  return text.data();
}

/// `DNS:name` or `IP:address`.
Result<std::string> alt_name(std::string_view text) {
  crypto::AltNameText name{is_address(text) ? AltNameKind::ip : AltNameKind::dns, text};
  if (const auto split = crypto::split_alt_name(text); split && !is_address(text)) name = *split;
  if (name.kind == AltNameKind::ip) {
    IMPRINT_TRY(crypto::check_alt_name(AltNameKind::ip, name.value));
    return fmt::format("IP:{}", usual_form(name.value));
  }
  if (name.kind != AltNameKind::dns)
    return refuse(text, "cannot name a server; clients know one by DNS: and IP: names");
  if (is_address(name.value))
    return refuse(text, fmt::format("is an address under DNS:; write IP:{}", name.value));
  IMPRINT_TRY(check_host(name.value));
  return fmt::format("DNS:{}", name.value);
}

Result<std::vector<std::string>> default_alt_names(std::string_view common_name,
                                                   std::string_view name_option,
                                                   std::string_view alt_name_option) {
  auto own = alt_name(common_name);
  if (!own) {
    const std::string hint =
        alt_name_option.empty() ? "" : fmt::format(" (or give the names with {})", alt_name_option);
    return fail(Error(own.error().code, own.error().what + hint).context(std::string(name_option)));
  }
  std::vector<std::string> names = {*own};
  const std::string wildcard = fmt::format("*.{}", common_name);
  if (own->starts_with("DNS:") && check_host(wildcard)) names.push_back("DNS:" + wildcard);
  return names;
}

}  // namespace

Result<ServerNames> server_names(std::string_view common_name, std::string_view name_option,
                                 std::span<const std::string> alt_names,
                                 std::string_view alt_name_option) {
  IMPRINT_TRY(crypto::check_name_value(crypto::NameField::common_name, common_name)
                  .context(std::string(name_option)));
  ServerNames names{.common_name = std::string(common_name), .alt_names = {}};
  if (alt_names.empty()) {
    names.alt_names = IMPRINT_TRY(default_alt_names(common_name, name_option, alt_name_option));
    return names;
  }
  // As 'ca issue-server' does: a client that is told the common name finds it.
  if (auto own = alt_name(common_name)) names.alt_names.push_back(std::move(*own));
  for (const std::string& text : alt_names) {
    std::string name = IMPRINT_TRY(alt_name(text).context(std::string(alt_name_option)));
    const auto same = [&name](const std::string& known) {
      return equal_ignoring_ascii_case(known, name);
    };
    if (std::ranges::none_of(names.alt_names, same)) names.alt_names.push_back(std::move(name));
  }
  return names;
}

std::vector<std::string> split_names(std::string_view list) {
  std::vector<std::string> names;
  while (true) {
    const std::size_t comma = list.find(',');
    std::string_view name = list.substr(0, comma);
    name.remove_prefix(std::min(name.find_first_not_of(' '), name.size()));
    name = name.substr(0, name.find_last_not_of(' ') + 1);
    names.emplace_back(name);
    if (comma == std::string_view::npos) return names;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace imprint::server
