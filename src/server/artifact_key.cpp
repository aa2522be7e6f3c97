#include "imprint/server/artifact_key.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "bundle.hpp"
#include "imprint/base/text.hpp"
#include "imprint/crypto/key_forms.hpp"

namespace imprint::server {

namespace {

using crypto::KeyKind;

constexpr const char* kPrivateName = "artifact-private.key";
constexpr const char* kPublicName = "artifact-public.key";
constexpr std::array kKinds = {KeyKind::rsa_2048, KeyKind::rsa_3072, KeyKind::rsa_4096,
                               KeyKind::ec_p256};

}  // namespace

Result<KeyKind> parse_artifact_key_kind(std::string_view word) {
  const auto kind = crypto::parse_key_kind(word);
  if (kind && std::ranges::find(kKinds, *kind) != kKinds.end()) return *kind;
  return fail(Code::invalid_input,
              fmt::format("{} cannot sign Artifacts; rsa:2048, rsa:3072, rsa:4096 and ec:P-256 can",
                          quoted(word)));
}

Result<ArtifactKeyFiles> make_artifact_key(const ArtifactKeyRequest& request) {
  const std::array<std::string, 2> names = {kPrivateName, kPublicName};
  if (!request.replace) {
    IMPRINT_TRY(refuse_existing(request.directory, names,
                                "devices that trust the key in it could not be updated with "
                                "another: choose another folder with --out, or --force"));
  }
  const auto key = IMPRINT_TRY(crypto::PrivateKey::generate(request.kind));
  // mender-artifact up to 3.9 at least reads no PKCS#8.
  const crypto::SecretBytes private_pem = IMPRINT_TRY(crypto::traditional_pem(key));
  const Bytes public_der = IMPRINT_TRY(key.public_key_der());
  const std::string public_pem = crypto::public_key_pem(public_der);
  const std::array files = {BundleFile{kPrivateName, private_pem.view(), 0600},
                            BundleFile{kPublicName, bytes_of(public_pem), 0644}};
  IMPRINT_TRY(request.replace ? write_over(request.directory, files)
                              : write_new(request.directory, files));
  return ArtifactKeyFiles{.private_key = request.directory / kPrivateName,
                          .public_key = request.directory / kPublicName};
}

}  // namespace imprint::server
