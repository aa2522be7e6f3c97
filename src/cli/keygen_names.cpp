#include <cstdlib>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "ca_options.hpp"
#include "imprint/base/text.hpp"
#include "keygen.hpp"

namespace imprint::cli {

namespace {

using server::Layout;
using server::ServerNames;

/// What keygen asks for when it is told no name.
constexpr std::string_view kDefaultName = "docker.mender.io";

/// A value and where it comes from, for messages.
struct Given {
  std::string value;
  std::string source;

  explicit operator bool() const noexcept { return !value.empty(); }
};

Given flag_or_variable(const std::string& flag, const char* option, const char* variable) {
  if (!flag.empty()) return {flag, option};
  // No other thread runs yet.
  const char* value = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe)
  if (value == nullptr) return {"", option};
  return {value, variable};
}

struct AltNames {
  std::vector<std::string> names;
  std::string source = "--san";
};

AltNames alt_names(const KeygenNames& names, bool with_environment) {
  AltNames found;
  for (const std::string& list : names.alt_names) {
    for (std::string& name : server::split_names(list))
      found.names.push_back(std::move(name));
  }
  if (!found.names.empty() || !with_environment) return found;
  const Given list = flag_or_variable("", "--san", "CERT_SAN");
  if (list) return {server::split_names(list.value), list.source};
  return found;
}

Result<Layout> layout_of(const KeygenNames& names, bool has_classic, bool has_current) {
  if (!names.layout.empty()) return server::parse_layout(names.layout).context("--layout");
  if (has_classic && has_current) {
    return fail(Code::invalid_input,
                "names for both layouts are given (CERT_CN or --cn, and CERT_API_CN or --api-cn or "
                "their like); say which is meant with --layout classic or --layout current");
  }
  return has_classic ? Layout::classic : Layout::current;
}

Result<> refuse_foreign_flags(const KeygenNames& names, Layout layout) {
  const bool classic = layout == Layout::classic;
  if (classic && !(names.common_name.empty() && names.alt_names.empty())) {
    return fail(Code::invalid_input,
                "--cn and --san belong to --layout current; the classic layout has two "
                "certificates, named by --api-cn and --storage-cn");
  }
  if (!classic && !(names.api_name.empty() && names.storage_name.empty())) {
    return fail(Code::invalid_input,
                "--api-cn and --storage-cn belong to --layout classic; the current layout has one "
                "certificate, named by --cn and --san");
  }
  return {};
}

Result<std::vector<ServerNames>> classic_names(const Given& api, const Given& storage) {
  for (const auto& [given, hint] : {std::pair(&api, "--api-cn (or CERT_API_CN)"),
                                    std::pair(&storage, "--storage-cn (or CERT_STORAGE_CN)")}) {
    if (*given) continue;
    return fail(Code::invalid_input,
                fmt::format("the classic layout needs {}: the host name by which devices reach the "
                            "{}",
                            hint, given == &api ? "API gateway" : "storage proxy"));
  }
  std::vector<ServerNames> servers;
  for (const Given* given : {&api, &storage}) {
    // Each has the one name: what keygen made for these servers had no others.
    const std::vector<std::string> own = {given->value};
    servers.push_back(
        IMPRINT_TRY(server::server_names(given->value, given->source, own, given->source)));
  }
  return servers;
}

}  // namespace

void KeygenNames::add_to(CLI::App& command) {
  command.add_option("--cn", common_name,
                     "Host name of the server, for the current layout (environment: CERT_CN)");
  command.add_option("--san", alt_names,
                     "Its names: DNS:NAME or IP:ADDRESS, several with commas between (repeat as "
                     "needed; environment: CERT_SAN; default: the host name and *. before it)");
  command.add_option("--api-cn", api_name,
                     "Host name of the API gateway, for the classic layout (environment: "
                     "CERT_API_CN)");
  command.add_option("--storage-cn", storage_name,
                     "Host name of the storage proxy, for the classic layout (environment: "
                     "CERT_STORAGE_CN)");
}

bool KeygenNames::any() const {
  return !(common_name.empty() && alt_names.empty() && api_name.empty() && storage_name.empty());
}

Result<KeygenChoice> choose_names(const KeygenNames& names) {
  const Given name = flag_or_variable(names.common_name, "--cn", "CERT_CN");
  const Given api = flag_or_variable(names.api_name, "--api-cn", "CERT_API_CN");
  const Given storage = flag_or_variable(names.storage_name, "--storage-cn", "CERT_STORAGE_CN");
  KeygenChoice choice;
  choice.layout = IMPRINT_TRY(layout_of(names, api || storage, name || !names.alt_names.empty()));
  IMPRINT_TRY(refuse_foreign_flags(names, choice.layout));
  if (choice.layout == Layout::classic) {
    choice.servers = IMPRINT_TRY(classic_names(api, storage));
    return choice;
  }
  const AltNames others = alt_names(names, true);
  const std::string common_name = name ? name.value : std::string(kDefaultName);
  choice.servers.push_back(
      IMPRINT_TRY(server::server_names(common_name, name.source, others.names, others.source)));
  if (!name) {
    choice.notes.push_back(fmt::format(
        "the certificate is for '{}', as nothing else was said; give --cn for another host name",
        common_name));
  }
  return choice;
}

Result<std::vector<ServerNames>> asked_names(const KeygenNames& names, Layout layout) {
  IMPRINT_TRY(refuse_foreign_flags(names, layout));
  std::vector<ServerNames> asked;
  bool any = false;
  const auto ask = [&](const Given& name, const AltNames& others) -> Result<> {
    any = any || name;
    asked.emplace_back();
    if (!name) return {};
    asked.back() =
        IMPRINT_TRY(server::server_names(name.value, name.source, others.names, others.source));
    if (others.names.empty()) asked.back().alt_names.clear();
    return {};
  };
  if (layout == Layout::classic) {
    IMPRINT_TRY(ask(flag_or_variable(names.api_name, "--api-cn", "CERT_API_CN"), {}));
    IMPRINT_TRY(ask(flag_or_variable(names.storage_name, "--storage-cn", "CERT_STORAGE_CN"), {}));
  } else {
    const Given name = flag_or_variable(names.common_name, "--cn", "CERT_CN");
    if (!name && !names.alt_names.empty())
      return fail(Code::invalid_input, "--san needs --cn, the server's host name, beside it");
    IMPRINT_TRY(ask(name, alt_names(names, true)));
  }
  if (!any) asked.clear();
  return asked;
}

Result<std::vector<ServerNames>> given_names(const KeygenNames& names, Layout layout) {
  std::vector<ServerNames> servers;
  if (!names.any()) return servers;
  IMPRINT_TRY(refuse_foreign_flags(names, layout));
  if (layout == Layout::classic)
    return classic_names({names.api_name, "--api-cn"}, {names.storage_name, "--storage-cn"});
  if (names.common_name.empty())
    return fail(Code::invalid_input, "--san needs --cn, the server's host name, beside it");
  const AltNames others = alt_names(names, false);
  servers.push_back(
      IMPRINT_TRY(server::server_names(names.common_name, "--cn", others.names, others.source)));
  return servers;
}

void KeygenCa::add_to(CLI::App& command) {
  CLI::Option* ca = command.add_option(
      "--ca", directory, "Folder of the CA that signs the certificates (default: self-signed)");
  command
      .add_option("--passphrase", passphrase,
                  "Where the CA key's passphrase or the token's PIN is: env:NAME, file:PATH, fd:N, "
                  "credential:NAME, prompt")
      ->needs(ca);
  command
      .add_option("--ledger", ledger,
                  "Ledger to record the certificates in (default: ledger.db in the CA's folder)")
      ->needs(ca);
}

Result<std::optional<server::CaChoice>> KeygenCa::choice() const {
  if (directory.empty()) return std::optional<server::CaChoice>();
  auto source = IMPRINT_TRY(find_ca(directory, passphrase, "--passphrase"));
  return std::optional<server::CaChoice>(
      {.authority = std::move(source),
       .ledger = ledger.empty() ? directory / "ledger.db" : ledger});
}

}  // namespace imprint::cli
