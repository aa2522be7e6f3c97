#include "preauthorize_input.hpp"

#include <array>
#include <iostream>

#include "imprint/base/text.hpp"
#include "imprint/crypto/certificate.hpp"
#include "imprint/devauth/ledger_devices.hpp"
#include "imprint/pipeline/export.hpp"

namespace imprint::cli {

namespace {

Result<Bytes> read_ca_file(const fs::path& path) {
  if (path.empty()) return Bytes();
  constexpr std::uint64_t kLargest = 16U << 20;  // the system's store has 200 KB
  Bytes pem = IMPRINT_TRY(read_file(path, kLargest).context("--ca-file"));
  IMPRINT_TRY(crypto::Certificate::parse_all(pem).context("--ca-file " + quoted(path.string())));
  return pem;
}

Result<std::string> read_all_of_input() {
  constexpr std::size_t kLargest = std::size_t{1} << 30;
  std::string text;
  std::array<char, 65536> part{};
  while (std::cin.read(part.data(), part.size()) || std::cin.gcount() > 0) {
    text.append(part.data(), static_cast<std::size_t>(std::cin.gcount()));
    if (text.size() > kLargest) {
      return fail(Code::invalid_input, "--bodies -: more than 1 GiB; give it in parts");
    }
  }
  return text;
}

Result<std::vector<devauth::Preauthorization>> read_bodies(const std::string& source) {
  std::string text;
  if (source == "-") {
    text = IMPRINT_TRY(read_all_of_input());
  } else {
    const Bytes bytes = IMPRINT_TRY(read_file(source).context("--bodies"));
    text = text_of(bytes);
  }
  return devauth::parse_bodies(text).context("--bodies " + quoted(source));
}

}  // namespace

Result<Prepared> prepare(const PreauthorizeOptions& options) {
  auto server = IMPRINT_TRY(devauth::ServerUrl::parse(options.server).context("--server"));
  auto token = IMPRINT_TRY(devauth::read_token(options.token_file).context("--token-file"));
  auto ca_pem = IMPRINT_TRY(read_ca_file(options.ca_file));
  Prepared prepared{.server = std::move(server),
                    .token = std::move(token),
                    .ca_pem = std::move(ca_pem),
                    .ledger = std::nullopt,
                    .devices = {},
                    .incomplete = 0};
  if (!options.bodies.empty()) {
    prepared.devices = IMPRINT_TRY(read_bodies(options.bodies));
    return prepared;
  }
  const auto identity = IMPRINT_TRY(pipeline::parse_identity_data(options.identity_data));
  // Only read so far: what is refused leaves everything as it was.
  const auto ledger = IMPRINT_TRY(ledger::Ledger::open_read_only(options.ledger));
  auto devices = IMPRINT_TRY(
      devauth::devices_to_send(ledger, prepared.server.text(), identity, options.skip_incomplete));
  prepared.devices = std::move(devices.to_send);
  prepared.incomplete = devices.incomplete;
  if (options.dry_run) return prepared;
  auto writable = IMPRINT_TRY(ledger::Ledger::open(options.ledger));
  prepared.ledger.emplace(std::move(writable));
  return prepared;
}

}  // namespace imprint::cli
