#include "tree_files.hpp"

#include <fmt/format.h>

#include "imprint/base/text.hpp"

namespace imprint::server {

namespace {

constexpr std::uint64_t kMaxFileBytes = std::uint64_t{1} << 20;

}  // namespace

void plan_public(PlannedFiles& files, const fs::path& file, std::string_view content) {
  files[file] = {crypto::SecretBytes(bytes_of(content)), kPublicMode};
}

void plan_private(PlannedFiles& files, const fs::path& file, crypto::SecretBytes content) {
  files[file] = {std::move(content), kPrivateMode};
}

ReadFile reader_of(const PlannedFiles& files, const fs::path& directory) {
  return [&files, directory](const fs::path& file) -> Result<crypto::SecretBytes> {
    const auto planned = files.find(file);
    if (planned != files.end()) return crypto::SecretBytes(planned->second.content.view());
    return read_secret(directory / file);
  };
}

ReadFile reader_of(const fs::path& directory) {
  return [directory](const fs::path& file) { return read_secret(directory / file); };
}

Result<> plan_texts(PlannedFiles& files, const Deployment& deployment, ServerVersion version) {
  const std::string compose = IMPRINT_TRY(compose_text(deployment, version));
  plan_public(files, kComposeFile, compose);
  const ReadFile read = reader_of(files, deployment.directory);
  auto values = IMPRINT_TRY(helm_values(deployment, read));
  plan_private(files, kHelmFile, std::move(values));
  if (!needs_secrets(deployment)) return {};
  auto secrets = IMPRINT_TRY(kubernetes_secrets(deployment, read));
  plan_private(files, kSecretsFile, std::move(secrets));
  return {};
}

Result<bool> is_there(const fs::path& path) {
  std::error_code error;
  const fs::file_type type = fs::symlink_status(path, error).type();
  if (type == fs::file_type::not_found) return false;
  if (error) return fail(system_error("looking for " + quoted(path.string()), error.value()));
  return true;
}

Result<> check_stop(const std::atomic<bool>* stop) {
  if (stop == nullptr || !*stop) return {};
  return fail(Code::cancelled, "interrupted");
}

Result<crypto::SecretBytes> read_secret(const fs::path& path) {
  const File file = IMPRINT_TRY(File::open_read(path));
  const std::uint64_t size = IMPRINT_TRY(file.size_bytes());
  if (size > kMaxFileBytes) {
    return fail(Code::invalid_input, fmt::format("{} has {} bytes; at most {} are accepted",
                                                 quoted(path.string()), size, kMaxFileBytes));
  }
  crypto::SecretBytes content(size);
  IMPRINT_TRY(file.read_exact(0, content.mutable_view()));
  return content;
}

}  // namespace imprint::server
