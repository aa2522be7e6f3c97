#include "imprint/authority/ca_init.hpp"

#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "ca.hpp"
#include "ca_options.hpp"
#include "help.hpp"
#include "imprint/base/file.hpp"
#include "imprint/pipeline/issue.hpp"

namespace imprint::cli {

namespace {

struct CaInitOptions {
  fs::path directory;
  std::string common_name;
  std::string organization;
  std::string unit;
  std::string email;
  std::string country;
  std::string state;
  std::string locality;
  std::string serial_number;
  std::string key = "ec:P-256";
  std::optional<std::uint32_t> days;
  std::optional<std::uint32_t> path_length;
  std::string passphrase;
  fs::path parent;
  std::string parent_passphrase;
  bool json = false;
};

/// From the general to the particular, as certificates usually have it; what was not given is left
/// out.
Result<std::vector<crypto::SubjectAttribute>> subject(const CaInitOptions& options) {
  using crypto::NameField;

  struct Attribute {
    std::string_view option;
    NameField field;
    const std::string& value;
  };

  const Attribute all[] = {
      {"--country", NameField::country, options.country},
      {"--state", NameField::state, options.state},
      {"--locality", NameField::locality, options.locality},
      {"--org", NameField::organization, options.organization},
      {"--unit", NameField::organizational_unit, options.unit},
      {"--cn", NameField::common_name, options.common_name},
      {"--serial-number", NameField::serial_number, options.serial_number},
      {"--email", NameField::email_address, options.email},
  };
  std::vector<crypto::SubjectAttribute> given;
  for (const Attribute& attribute : all) {
    if (attribute.value.empty()) continue;
    IMPRINT_TRY(crypto::check_name_value(attribute.field, attribute.value)
                    .context(std::string(attribute.option)));
    given.push_back({attribute.field, attribute.value});
  }
  return given;
}

Result<authority::NewCa> init(const CaInitOptions& options) {
  const crypto::KeyKind key = IMPRINT_TRY(crypto::parse_key_kind(options.key).context("--key"));
  auto names = IMPRINT_TRY(subject(options));
  authority::CaInit request{.directory = options.directory,
                            .subject = std::move(names),
                            .key = key,
                            .days = options.days,
                            .path_length = options.path_length,
                            .passphrase = std::nullopt,
                            .parent = std::nullopt,
                            .before_writing = {}};
  if (!options.passphrase.empty()) {
    request.passphrase =
        IMPRINT_TRY(authority::parse_passphrase_source(options.passphrase).context("--passphrase"));
  }
  if (!options.parent.empty()) {
    request.parent =
        IMPRINT_TRY(find_ca(options.parent, options.parent_passphrase, "--parent-passphrase")
                        .context("--parent"));
  }
  // An intermediate is a certificate that its parent has to be able to take back.
  std::optional<fs::path> ledger;
  if (request.parent) ledger = options.parent / "ledger.db";
  return pipeline::make_ca(std::move(request), ledger, system_clock());
}

Exit run_init(const CaInitOptions& options, Console& console) {
  const auto made = init(options);
  if (!made) return console.fail(made.error());
  const crypto::Certificate& certificate = made->parsed;
  for (const std::string& warning : made->warnings)
    console.warn(warning);
  if (options.json) {
    nlohmann::ordered_json record = {
        {"version", 1},
        {"certificate", made->certificate.string()},
        {"key", made->key.string()},
        {"chain", made->chain.string()},
        {"subject", certificate.subject_text()},
        {"serial", certificate.serial_hex()},
        {"sha256", to_hex(certificate.fingerprint())},
        {"not_before", to_rfc3339(certificate.not_before())},
        {"not_after", to_rfc3339(certificate.not_after())},
    };
    if (made->gateway) record["gateway"] = made->gateway->string();
    console.out() << record.dump(2) << '\n';
    return Exit::done;
  }
  console.note(fmt::format("{}: CA {}, valid to {}", made->certificate.string(),
                           certificate.subject_text(), to_rfc3339(certificate.not_after())));
  console.note(fmt::format("{}: its private key{}; keep it safe", made->key.string(),
                           options.passphrase.empty() ? ", not encrypted" : ", encrypted"));
  if (made->gateway) {
    console.note(fmt::format("{}: what a gateway has to trust (this CA and those above it)",
                             made->gateway->string()));
  }
  return Exit::done;
}

}  // namespace

Entry add_ca_init(CLI::App& ca) {
  auto options = std::make_shared<CaInitOptions>();
  CLI::App* init_command =
      ca.add_subcommand("init", "Make a CA: certificate, private key and chain in a folder");
  init_command->footer(std::string(help::kCa));
  init_command
      ->add_option("DIR", options->directory,
                   "Folder for ca-cert.pem, ca-private.key and chain.pem")
      ->required();
  init_command->add_option("--cn", options->common_name,
                           "Common name (default: Imprint Device CA, below a parent Imprint "
                           "Issuing CA)");
  init_command->add_option("--org", options->organization, "Organization");
  init_command->add_option("--unit", options->unit, "Organizational unit");
  init_command->add_option("--email", options->email, "E-mail address");
  init_command->add_option("--country", options->country, "Country, two letters");
  init_command->add_option("--state", options->state, "State or province");
  init_command->add_option("--locality", options->locality, "City");
  init_command->add_option("--serial-number", options->serial_number,
                           "serialNumber of the subject (not of the certificate)");
  init_command
      ->add_option("--key", options->key,
                   "ec:P-256, ec:P-384, ec:P-521, rsa:2048|3072|4096, ed25519")
      ->capture_default_str();
  init_command->add_option("--days", options->days,
                           "Validity; device certificates must fit in (default: 7300, below a "
                           "parent at most until that ends)");
  CLI::Option* parent =
      init_command->add_option("--parent", options->parent,
                               "Folder of the CA that signs this one; without it a root is made");
  init_command
      ->add_option("--parent-passphrase", options->parent_passphrase,
                   "Where the passphrase of the parent's key, or its token's PIN, is")
      ->needs(parent);
  init_command->add_option("--path-length", options->path_length,
                           "How many CAs may follow below (default: any number below a root, 0 "
                           "below another CA)");
  init_command->add_option(
      "--passphrase", options->passphrase,
      "Encrypt the key; where the passphrase is: env:NAME, file:PATH, fd:N, credential:NAME, "
      "prompt");
  init_command->add_flag("--json", options->json, "Print what was made as JSON");
  return {init_command, [options](Console& console) { return run_init(*options, console); }};
}

}  // namespace imprint::cli
