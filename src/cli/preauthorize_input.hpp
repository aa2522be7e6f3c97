#pragma once

#include <optional>
#include <string>
#include <vector>

#include "imprint/base/file.hpp"
#include "imprint/devauth/preauthorize.hpp"
#include "imprint/devauth/token.hpp"
#include "imprint/ledger/ledger.hpp"

namespace imprint::cli {

struct PreauthorizeOptions {
  fs::path ledger = "ledger.db";
  std::string bodies;
  std::string server;
  fs::path token_file;
  fs::path ca_file;
  std::vector<std::string> identity_data;
  unsigned jobs = 8;
  unsigned retries = 5;
  unsigned timeout_seconds = 30;
  bool force = false;
  bool skip_incomplete = false;
  bool dry_run = false;
  bool json = false;
};

/// Everything that is read before the first request.
struct Prepared {
  devauth::ServerUrl server;
  devauth::Token token;
  Bytes ca_pem;
  std::optional<ledger::Ledger> ledger;  ///< to record in; none for bodies, or a dry run
  std::vector<devauth::Preauthorization> devices;
  std::size_t incomplete = 0;
};

/// Reads all that the options name, and writes nothing. Errors begin with the option.
[[nodiscard]] Result<Prepared> prepare(const PreauthorizeOptions& options);

}  // namespace imprint::cli
