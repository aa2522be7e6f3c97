#include "imprint/server/texts.hpp"

#include <array>

#include <fmt/format.h>

#include "imprint/base/owner.hpp"
#include "imprint/base/text.hpp"
#include "leftovers.hpp"
#include "tree_files.hpp"

namespace imprint::server {

namespace {

struct TextRow {
  Text text;
  std::string_view word;
  std::string_view file;
  unsigned mode;
};

constexpr std::array<TextRow, 3> kTexts = {{
    {Text::compose, "compose", kComposeFile, kPublicMode},
    {Text::helm, "helm", kHelmFile, kPrivateMode},
    {Text::secrets, "secrets", kSecretsFile, kPrivateMode},
}};

constexpr std::array kVersions = {ServerVersion::v1, ServerVersion::v2_7, ServerVersion::v3_0,
                                  ServerVersion::v3_1, ServerVersion::v4};

/// The version that a file for docker-compose says it is for.
std::optional<ServerVersion> version_in(std::string_view compose) {
  for (const ServerVersion version : kVersions) {
    if (compose.find(fmt::format("# For Mender servers {}.\n", word(version))) !=
        std::string_view::npos) {
      return version;
    }
  }
  return std::nullopt;
}

bool same(ByteView one, ByteView other) {
  return text_of(one) == text_of(other);
}

/// Whom the text belongs to when it is written anew: new secrets, whom the values beside do.
Result<std::optional<Owner>> owner_before(const Deployment& tree, const fs::path& path) {
  for (const fs::path& one : {path, tree.directory / kHelmFile}) {
    auto owner = owner_of(one);
    if (owner) return std::optional(*owner);
    if (owner.error().code != Code::not_found) return fail(std::move(owner).error());
  }
  return std::optional<Owner>();
}

/// The warning, or nothing.
Result<std::string> refresh(const Deployment& tree, const TextRow& row) {
  const fs::path path = tree.directory / row.file;
  const bool wanted = row.text != Text::secrets || needs_secrets(tree);
  const auto present = read_secret(path);
  if (!present && present.error().code != Code::not_found) return fail(present.error());
  // The secrets come and go with what the values need.
  if (!present && (row.text != Text::secrets || !wanted)) return std::string();
  if (present && !is_unchanged(present->view())) {
    return fmt::format(
        "{} was edited and stays as it is; see what has changed with 'imprint "
        "keygen --out {} --print {}'",
        quoted(path.string()), tree.directory.string(), row.word);
  }
  if (!wanted) {
    IMPRINT_TRY(remove_file(path));
    return std::string();
  }
  const ServerVersion version = compose_version(tree).value_or(ServerVersion::v3_1);
  const auto content = IMPRINT_TRY(text_of_tree(tree, row.text, version));
  if (present && same(present->view(), content.view())) return std::string();
  const auto owner = IMPRINT_TRY(owner_before(tree, path));
  NewFile file = IMPRINT_TRY(NewFile::beside(path, row.mode));
  IMPRINT_TRY(file.file().write_all(0, content.view()));
  if (owner) IMPRINT_TRY(give_to(file.file().fd(), *owner, path));
  IMPRINT_TRY(file.publish());
  IMPRINT_TRY(sync_directory(tree.directory));
  return std::string();
}

}  // namespace

Result<Text> parse_text(std::string_view word) {
  for (const TextRow& row : kTexts) {
    if (row.word == word) return row.text;
  }
  return fail(Code::invalid_input,
              fmt::format("{} is none of the texts: 'compose', 'helm', 'secrets'", quoted(word)));
}

std::string_view file_of(Text text) noexcept {
  return kTexts.at(static_cast<std::size_t>(text)).file;
}

Result<crypto::SecretBytes> text_of_tree(const Deployment& tree, Text text, ServerVersion version) {
  if (text == Text::compose) {
    const std::string compose = IMPRINT_TRY(compose_text(tree, version));
    return crypto::SecretBytes(bytes_of(compose));
  }
  const ReadFile read = reader_of(tree.directory);
  if (text == Text::helm) return helm_values(tree, read);
  if (needs_secrets(tree)) return kubernetes_secrets(tree, read);
  return fail(Code::not_found,
              "no secrets are needed beside the values for Helm: no service has numbered keys");
}

std::optional<ServerVersion> compose_version(const Deployment& tree) {
  const auto present = read_secret(tree.directory / kComposeFile);
  const auto version = present ? version_in(text_of(present->view())) : std::nullopt;
  // A file of another tree may lie here.
  return version && layout_of(*version) == tree.layout ? version : std::nullopt;
}

Result<std::vector<std::string>> refresh_texts(const Deployment& tree) {
  const TextsLock lock = IMPRINT_TRY(TextsLock::acquire(tree.directory));
  IMPRINT_TRY(remove_leftovers(tree.directory, tree.layout));
  std::vector<std::string> warnings;
  // The secrets before the values that name them.
  for (auto row = kTexts.rbegin(); row != kTexts.rend(); ++row) {
    std::string warning = IMPRINT_TRY(refresh(tree, *row));
    if (!warning.empty()) warnings.push_back(std::move(warning));
  }
  return warnings;
}

}  // namespace imprint::server
