#pragma once

#include <string>
#include <string_view>

#include "imprint/base/result.hpp"
#include "imprint/crypto/secret.hpp"

namespace imprint::authority {

/// Where a passphrase comes from. It never stands in a manifest, an argument or a message itself.
struct PassphraseSource {
  enum class Kind { env, file, fd, credential, prompt };

  Kind kind = Kind::prompt;
  std::string argument;  ///< variable, path, number or credential name; empty for `prompt`
};

/// `env:NAME`, `file:PATH`, `fd:N`, `credential:NAME` (systemd's) or `prompt`. The error does not
/// repeat the text, which may be a passphrase given by mistake.
[[nodiscard]] Result<PassphraseSource> parse_passphrase_source(std::string_view text);

/// What `prompt` says, and whether it asks twice, as for a secret that is new.
struct Question {
  std::string what = "Passphrase of the CA key";
  bool twice = false;
  std::string called = "passphrase";  ///< in messages
};

/// Reads it, less one trailing line end. Refuses an empty one, more than 1,024 bytes, NUL, and a
/// file that group or others may read. `env`, `fd` and `prompt` can be read once: the variable is
/// wiped and removed from the environment; `prompt` asks on the terminal, without echo. Not
/// thread-safe.
[[nodiscard]] Result<crypto::SecretBytes> read_passphrase(const PassphraseSource& source,
                                                          const Question& question = {});

}  // namespace imprint::authority
