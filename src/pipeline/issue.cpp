// Certificates that go to files: for a device whose key lives elsewhere, and for servers. The order
// is that of a batch: everything checked, then the ledger, then what can be seen.

#include "imprint/pipeline/issue.hpp"

#include <algorithm>
#include <arpa/inet.h>

#include <fmt/format.h>

#include "imprint/authority/describe.hpp"
#include "imprint/base/new_folder.hpp"
#include "imprint/base/text.hpp"
#include "imprint/crypto/issue.hpp"
#include "issue_record.hpp"
#include "one_device.hpp"
#include "profile_spec.hpp"

namespace imprint::pipeline {

namespace {

using authority::Authority;
using ledger::Purpose;

constexpr std::uint64_t kMaxKeyFileBytes = std::uint64_t{1} << 20;

/// What is certified: a new key pair, or a public key from a file.
struct Subject {
  std::optional<crypto::PrivateKey> key;
  crypto::PublicKey public_key;
};

Result<Subject> subject_of(const IssueTarget& target, crypto::KeyKind kind) {
  if (!target.public_key) {
    auto key = IMPRINT_TRY(crypto::PrivateKey::generate(kind));
    auto public_key = IMPRINT_TRY(crypto::PublicKey::of(key));
    return Subject{std::move(key), std::move(public_key)};
  }
  const Bytes content = IMPRINT_TRY(read_file(*target.public_key, kMaxKeyFileBytes));
  auto public_key =
      IMPRINT_TRY(crypto::PublicKey::parse(content).context(quoted(target.public_key->string())));
  return Subject{std::nullopt, std::move(public_key)};
}

/// One issue of one certificate: who it is for, and where it goes.
struct Order {
  const Authority& authority;
  const IssueTarget& target;
  Purpose purpose;
  std::string id;    ///< in the ledger
  std::string stem;  ///< of the file names
  crypto::ProfileSpec profile;
  std::vector<std::string> slots;
  std::string identity_data;       ///< of a device, for the ledger
  std::vector<std::string> notes;  ///< for the report
  std::vector<std::string> warnings;
};

/// Whoever holds the private half of a given key can issue certificates, if it is a CA's.
Result<> refuse_key_of_ca(const IssueTarget& target, const crypto::PublicKey& key,
                          const Authority& authority) {
  if (!target.public_key) return {};
  const Bytes wanted = IMPRINT_TRY(key.der());
  const auto has_it = [&wanted](const crypto::Certificate& ca) {
    return ca.public_key_der() == wanted;
  };
  if (!has_it(authority.certificate()) && std::ranges::none_of(authority.chain(), has_it))
    return {};
  return fail(
      Code::invalid_input,
      fmt::format("{}: it is the key of the CA itself, or of one above it; give that of the "
                  "device or server",
                  quoted(target.public_key->string())));
}

Result<> refuse_existing(const fs::path& path) {
  std::error_code ignored;
  if (!fs::exists(fs::symlink_status(path, ignored))) return {};
  return fail(Code::exists, fmt::format("{} exists and is not overwritten; move it away, or choose "
                                        "another folder with --output",
                                        quoted(path.string())));
}

/// The CAs between the certificate and its root, the issuer first: what a server has to send along.
std::vector<crypto::Certificate> intermediates(const Authority& authority) {
  std::vector<crypto::Certificate> between;
  const auto add = [&between](const crypto::Certificate& ca) {
    if (!ca.is_self_signed()) between.push_back(ca);
  };
  add(authority.certificate());
  std::ranges::for_each(authority.chain(), add);
  return between;
}

Result<> verify(const Order& order, const crypto::Certificate& certificate, TimePoint now) {
  const auto judge = order.purpose == Purpose::device ? crypto::verify_client_certificate
                                                      : crypto::verify_server_certificate;
  const TimePoint at = std::clamp(now, certificate.not_before(), certificate.not_after());
  return judge(certificate, {}, {&order.authority.certificate(), 1}, at,
               order.authority.strictness());
}

Result<> write(const Order& order, const Subject& subject, const IssueReport& report) {
  NewFolder folder(order.target.directory);
  IMPRINT_TRY(folder.open(0755));
  if (subject.key) {
    const crypto::SecretBytes key = IMPRINT_TRY(subject.key->to_pem());
    IMPRINT_TRY(folder.write(*report.key, key.view(), 0600));
  }
  std::string pem = report.parsed.to_pem();
  // A device sends its own certificate alone, whatever its file holds (Mender clients from 4.0).
  if (order.purpose == Purpose::server) {
    for (const crypto::Certificate& ca : intermediates(order.authority))
      pem += ca.to_pem();
  }
  IMPRINT_TRY(folder.write(report.certificate, bytes_of(pem), 0644));
  return folder.keep();
}

/// The certificate, as its verifiers see it.
Result<crypto::Certificate> certify(const Order& order, const crypto::PublicKey& key,
                                    TimePoint now) {
  const auto signer = IMPRINT_TRY(order.authority.signer().clone());
  const std::vector<std::string_view> slots(order.slots.begin(), order.slots.end());
  auto certificate = IMPRINT_TRY(
      crypto::issue_certificate(order.profile, slots, key, order.authority.certificate(), *signer));
  IMPRINT_TRY(verify(order, certificate, now).context("checking the new certificate"));
  return certificate;
}

std::vector<std::string> all_warnings(const Order& order) {
  std::vector<std::string> warnings(order.authority.warnings().begin(),
                                    order.authority.warnings().end());
  warnings.insert(warnings.end(), order.warnings.begin(), order.warnings.end());
  return warnings;
}

Result<IssueReport> issue(Order order, std::string_view command, const Clock& clock) {
  const fs::path base = order.target.directory / order.stem;
  const fs::path certificate_path = base.string() + ".crt";
  const fs::path key_path = base.string() + ".key";
  IMPRINT_TRY(refuse_existing(certificate_path));
  if (!order.target.public_key) IMPRINT_TRY(refuse_existing(key_path));

  const Subject subject = IMPRINT_TRY(subject_of(order.target, order.profile.key));
  IMPRINT_TRY(refuse_key_of_ca(order.target, subject.public_key, order.authority));
  order.profile.key = subject.public_key.kind();
  auto certificate = IMPRINT_TRY(certify(order, subject.public_key, clock.now()));
  IssueReport report{.certificate = certificate_path,
                     .key = subject.key ? std::optional(key_path) : std::nullopt,
                     .parsed = std::move(certificate),
                     .notes = std::move(order.notes),
                     .warnings = all_warnings(order)};

  // Beyond this point the certificate is known, whatever happens to us.
  IssueRecord record =
      IMPRINT_TRY(IssueRecord::begin({.ledger = order.target.ledger,
                                      .command = command,
                                      .id = order.id,
                                      .purpose = order.purpose,
                                      .identity_data = order.identity_data},
                                     report.parsed, order.authority.certificate(), clock));
  if (Result<> written = write(order, subject, report); !written)
    return fail(record.failed(std::move(written).error(), clock));
  IMPRINT_TRY(record.placed(certificate_path, clock));
  return report;
}

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

}  // namespace

Result<authority::NewCa> make_ca(authority::CaInit request, const std::optional<fs::path>& ledger,
                                 const Clock& clock) {
  std::optional<IssueRecord> record;
  if (request.parent && ledger) {
    const auto parent = IMPRINT_TRY(authority::read_ca_certificate(*request.parent));
    request.before_writing = [&, parent](const crypto::Certificate& made) -> Result<> {
      record = IMPRINT_TRY(IssueRecord::begin({.ledger = *ledger,
                                               .command = "ca init",
                                               .id = made.common_name(),
                                               .purpose = Purpose::authority},
                                              made, parent, clock));
      return {};
    };
  }
  auto ca = authority::ca_init(request, clock);
  if (!record) return ca;
  if (!ca) return fail(record->failed(std::move(ca).error(), clock));
  IMPRINT_TRY(record->placed(ca->certificate, clock));
  return ca;
}

Result<IssueReport> issue_device(const DeviceRequest& request, const Clock& clock) {
  InjectRequest device_of;
  device_of.id = request.id;
  device_of.manifest = request.manifest;
  manifest::Manifest manifest = IMPRINT_TRY(inject_manifest(device_of));
  if (request.key) manifest.identity.key = *request.key;
  if (request.days) manifest.identity.validity.not_after = *request.days;
  OneDevice device = IMPRINT_TRY(expand_one(manifest, request.id, request.variables));
  const Authority authority = IMPRINT_TRY(Authority::open(request.authority, clock.now()));
  // With --days the end is not the manifest's to mend.
  const auto manifest_file = request.days ? std::nullopt : request.manifest;
  auto profile = device_profile(manifest.identity, authority, clock.now(), manifest_file);
  auto described =
      IMPRINT_TRY(manifest_file ? std::move(profile) : std::move(profile).context("--days"));
  return issue({.authority = authority,
                .target = request.target,
                .purpose = Purpose::device,
                .id = request.id,
                .stem = request.id,
                .profile = std::move(described.spec),
                .slots = std::move(device.slots),
                .identity_data = std::move(device.identity_data),
                .notes = std::move(described.notes),
                .warnings = std::move(described.warnings)},
               "ca issue-device", clock);
}

namespace {

/// Before a passphrase is asked for.
Result<> check_names(const ServerRequest& request) {
  IMPRINT_TRY(crypto::check_name_value(crypto::NameField::common_name, request.common_name)
                  .context("--cn"));
  IMPRINT_TRY(server_names(request));
  return {};
}

/// What is issued for such a request, the files aside.
Result<Order> server_order(const ServerRequest& request, const Authority& authority,
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
  return Order{.authority = authority,
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
  Order order = IMPRINT_TRY(server_order(request, authority, clock.now()));
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
  Order order = IMPRINT_TRY(server_order(wished, authority, clock.now()));
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
