// Certificates for servers: by which names a server can be known, and what is issued for them.

#include <algorithm>

#include <fmt/format.h>

#include "imprint/authority/validity.hpp"
#include "imprint/base/text.hpp"
#include "issue_order.hpp"
#include "issue_record.hpp"

namespace imprint::pipeline {

namespace {

using authority::Authority;
using ledger::Purpose;

bool is_address(std::string_view text) {
  return crypto::check_alt_name(crypto::AltNameKind::ip, text).has_value();
}

/// A name with its kind said (`IP:192.0.2.1`) or to be seen from it.
Result<crypto::ProfileAltName> server_name(const std::string& text) {
  crypto::AltNameText name{is_address(text) ? crypto::AltNameKind::ip : crypto::AltNameKind::dns,
                           text};
  if (const auto split = crypto::split_alt_name(text); split && !is_address(text)) name = *split;
  if (name.kind != crypto::AltNameKind::dns && name.kind != crypto::AltNameKind::ip) {
    return fail(Code::invalid_input,
                fmt::format("--san {}: a server is known by DNS: and IP: names", quoted(text)));
  }
  IMPRINT_TRY(crypto::check_alt_name(name.kind, name.value).context("--san " + quoted(text)));
  if (name.value.find('*') != std::string_view::npos)
    IMPRINT_TRY(crypto::check_wildcard(name.value).context("--san"));
  return crypto::ProfileAltName{name.kind, std::string(name.value)};
}

Result<std::vector<crypto::ProfileAltName>> server_names(const ServerRequest& request) {
  std::vector<crypto::ProfileAltName> names;
  const auto add = [&names](crypto::ProfileAltName name) {
    const bool known = std::ranges::any_of(names, [&](const crypto::ProfileAltName& other) {
      return other.kind == name.kind && other.constant == name.constant;
    });
    if (!known) names.push_back(std::move(name));
  };
  if (request.common_name.find('*') != std::string::npos)
    IMPRINT_TRY(crypto::check_wildcard(request.common_name).context("--cn"));
  if (auto own = server_name(request.common_name)) add(std::move(*own));
  for (const std::string& text : request.alt_names)
    add(IMPRINT_TRY(server_name(text)));
  if (names.empty()) {
    return fail(Code::invalid_input,
                fmt::format("--cn {} is neither a host name nor an address, and clients find a "
                            "server by these alone; give --san DNS:NAME or IP:ADDRESS",
                            quoted(request.common_name)));
  }
  return names;
}

/// The only characters of a common name that cannot stand in a file name as they are.
std::string file_stem(std::string name) {
  std::ranges::replace_if(
      name, [](char c) { return c == '*' || c == '/'; }, '_');
  if (name.starts_with('.')) name.front() = '_';
  return name;
}

/// Before a passphrase is asked for.
Result<> check_names(const ServerRequest& request) {
  IMPRINT_TRY(crypto::check_name_value(crypto::NameField::common_name, request.common_name)
                  .context("--cn"));
  IMPRINT_TRY(server_names(request));
  return {};
}

/// What is issued for such a request, the files aside.
Result<IssueOrder> server_order(const ServerRequest& request, const Authority& authority,
                                TimePoint now) {
  IMPRINT_TRY(check_names(request));
  auto names = IMPRINT_TRY(server_names(request));
  const authority::ValiditySpec wished{.not_before = std::chrono::seconds(0),
                                       .not_after = request.days,
                                       .outlives_ca = authority::OutlivesCa::error};
  auto validity = IMPRINT_TRY(authority::leaf_validity(authority, wished, now).context("--days"));
  crypto::ProfileSpec profile;
  profile.key = request.key.value_or(crypto::KeyKind::ec_p256);
  profile.subject = {{crypto::NameField::common_name, request.common_name}};
  profile.alt_names = std::move(names);
  profile.not_before = validity.not_before;
  profile.not_after = validity.not_after;
  profile.extended_key_usage = {"serverAuth"};
  return IssueOrder{.authority = authority,
                    .target = request.target,
                    .purpose = Purpose::server,
                    .id = request.common_name,
                    .stem = file_stem(request.common_name),
                    .profile = std::move(profile),
                    .slots = {},
                    .identity_data = {},
                    .notes = std::move(validity.notes),
                    .warnings = std::move(validity.warnings)};
}

}  // namespace

Result<IssueReport> issue_server(const ServerRequest& request, const Clock& clock) {
  IMPRINT_TRY(check_names(request));
  const Authority authority = IMPRINT_TRY(Authority::open(request.authority, clock.now()));
  IssueOrder order = IMPRINT_TRY(server_order(request, authority, clock.now()));
  return issue(std::move(order), "ca issue-server", clock);
}

class ServerIdentity::Record {
 public:
  explicit Record(IssueRecord record) : record_(std::move(record)) {}

  IssueRecord& operator*() noexcept { return record_; }

 private:
  IssueRecord record_;
};

ServerIdentity::ServerIdentity(crypto::PrivateKey new_key, crypto::Certificate issued,
                               std::unique_ptr<Record> record)
    : key(std::move(new_key)),
      certificate(std::move(issued)),
      record_(std::move(record)) {}

ServerIdentity::ServerIdentity(ServerIdentity&&) noexcept = default;
ServerIdentity& ServerIdentity::operator=(ServerIdentity&&) noexcept = default;
ServerIdentity::~ServerIdentity() = default;

Result<> ServerIdentity::placed(const fs::path& file, const Clock& clock) {
  return (**record_).placed(file, clock);
}

Error ServerIdentity::failed(Error why, const Clock& clock) {
  return (**record_).failed(std::move(why), clock);
}

Result<ServerIdentity> issue_server_identity(const Authority& authority,
                                             const ServerIdentityRequest& request,
                                             const Clock& clock) {
  ServerRequest wished;
  wished.common_name = request.common_name;
  wished.alt_names = request.alt_names;
  wished.days = request.days;
  IssueOrder order = IMPRINT_TRY(server_order(wished, authority, clock.now()));
  auto key = IMPRINT_TRY(crypto::PrivateKey::generate(order.profile.key));
  const auto public_key = IMPRINT_TRY(crypto::PublicKey::of(key));
  auto certificate = IMPRINT_TRY(certify(order, public_key, clock.now()));
  IssueRecord record = IMPRINT_TRY(IssueRecord::begin({.ledger = request.ledger,
                                                       .command = request.command,
                                                       .id = order.id,
                                                       .purpose = order.purpose},
                                                      certificate, authority.certificate(), clock));
  ServerIdentity identity(std::move(key), std::move(certificate),
                          std::make_unique<ServerIdentity::Record>(std::move(record)));
  identity.above.push_back(authority.certificate());
  identity.above.insert(identity.above.end(), authority.chain().begin(), authority.chain().end());
  identity.notes = std::move(order.notes);
  identity.warnings = all_warnings(order);
  return identity;
}

}  // namespace imprint::pipeline
