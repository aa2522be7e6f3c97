#include "imprint/authority/describe.hpp"

#include <fmt/format.h>

#include "ca_checks.hpp"
#include "ca_files.hpp"
#include "imprint/base/text.hpp"
#include "secret_file.hpp"

namespace imprint::authority {

namespace {

struct KeyDescription {
  CaDescription& into;

  void operator()(const KeyFile& file) const {
    into.key = file.path.string();
    const auto content = read_secret_file(file.path, kMaxCaFileBytes);
    if (!content) return blame(content.error().message());
    if (content->readable_by_others)
      into.warnings.emplace_back("the key file can be read by others; run chmod 600 on it");
    const auto encrypted = crypto::PrivateKey::is_encrypted(content->content.view());
    if (!encrypted) return blame(encrypted.error().message());
    into.key_state = *encrypted ? "encrypted" : "not encrypted";
  }

  void operator()(const TokenKey& token) const {
    into.key = token.uri;
    into.key_state = "in a token";
  }

  void operator()(const CommandKey& command) const {
    into.key = command.command.empty() ? std::string() : command.command.front();
    into.key_state = "behind a command";
  }

  void blame(const std::string& why) const {
    into.key_state = why;
    into.problems.push_back("the key: " + why);
  }
};

}  // namespace

Result<crypto::Certificate> read_ca_certificate(const AuthoritySource& source) {
  return IMPRINT_TRY(read_ca_files(source)).certificate;
}

Result<CaDescription> describe(const AuthoritySource& source, TimePoint now) {
  CaFiles files = IMPRINT_TRY(read_ca_files(source));
  CaDescription description{.certificate = std::move(files.certificate),
                            .chain = std::move(files.chain),
                            .key = {},
                            .key_state = {},
                            .problems = {},
                            .warnings = std::move(files.warnings)};
  for (const auto& checked :
       {check_may_issue(description.certificate), check_valid_at(description.certificate, now)}) {
    if (!checked) description.problems.push_back("the certificate " + checked.error().message());
  }
  std::visit(KeyDescription{description}, source.key);
  return description;
}

}  // namespace imprint::authority
