#include "imprint/server/service_key.hpp"

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "tree_files.hpp"

namespace imprint::server {

namespace {

bool is_rsa(crypto::KeyKind kind) {
  return kind == crypto::KeyKind::rsa_2048 || kind == crypto::KeyKind::rsa_3072 ||
         kind == crypto::KeyKind::rsa_4096;
}

}  // namespace

Result<crypto::KeyKind> parse_service_key_kind(std::string_view word) {
  const auto kind = crypto::parse_key_kind(word);
  if (kind && (is_rsa(*kind) || *kind == crypto::KeyKind::ed25519)) return *kind;
  return fail(Code::invalid_input,
              fmt::format("{} is no key that Mender's services sign with; known are rsa:2048, "
                          "rsa:3072, rsa:4096, and for servers from 4.0 on ed25519",
                          quoted(word)));
}

Result<crypto::SecretBytes> service_key_pem(const crypto::PrivateKey& key) {
  const crypto::KeyKind kind = IMPRINT_TRY(key.kind());
  return is_rsa(kind) ? key.to_pkcs1_pem() : key.to_pem();
}

Result<crypto::KeyKind> service_key_kind_in(const fs::path& path) {
  const crypto::SecretBytes content = IMPRINT_TRY(read_secret(path));
  const auto key =
      IMPRINT_TRY(crypto::PrivateKey::from_pem(content.view()).context(quoted(path.string())));
  const crypto::KeyKind kind = IMPRINT_TRY(key.kind().context(quoted(path.string())));
  return parse_service_key_kind(name(kind)).context(quoted(path.string()));
}

}  // namespace imprint::server
