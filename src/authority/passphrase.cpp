#include "imprint/authority/passphrase.hpp"

#include <array>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <unistd.h>

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "secret_file.hpp"
#include "terminal.hpp"

namespace imprint::authority {

namespace {

using crypto::SecretBytes;
using Kind = PassphraseSource::Kind;

constexpr std::size_t kMaxBytes = 1024;

struct KindRow {
  Kind kind;
  std::string_view prefix;
};

constexpr std::array<KindRow, 4> kPrefixes = {{
    {Kind::env, "env:"},
    {Kind::file, "file:"},
    {Kind::fd, "fd:"},
    {Kind::credential, "credential:"},
}};

std::optional<int> parse_descriptor(std::string_view text) {
  int number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

/// Out of our environment, so that no child inherits it, and off the memory that
/// /proc/PID/environ shows.
SecretBytes take_out(const std::string& name, char* value) {
  const std::string_view text(value);
  SecretBytes taken(bytes_of(text));
  ::unsetenv(name.c_str());  // NOLINT(concurrency-mt-unsafe)
  crypto::wipe(value, text.size());
  return taken;
}

Result<SecretBytes> read_environment(const std::string& name) {
  // Read once, before any thread is started.
  char* const value = std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe)
  if (value == nullptr) {
    return fail(
        Code::invalid_input,
        fmt::format("the environment variable {} is not set; export it, or name another source",
                    quoted(name)));
  }
  return take_out(name, value);
}

Result<SecretBytes> read_file_source(const std::filesystem::path& path) {
  SecretFile file = IMPRINT_TRY(read_secret_file(path, kMaxBytes));
  if (file.readable_by_others) {
    return fail(Code::invalid_input, fmt::format("{} can be read by others; run chmod 600 on it",
                                                 quoted(path.string())));
  }
  return std::move(file.content);
}

Result<SecretBytes> read_credential(const std::string& name) {
  const char* directory = std::getenv("CREDENTIALS_DIRECTORY");  // NOLINT(concurrency-mt-unsafe)
  if (directory == nullptr) {
    return fail(
        Code::invalid_input,
        "$CREDENTIALS_DIRECTORY is not set; run this from a systemd service with LoadCredential=");
  }
  return std::move(
      IMPRINT_TRY(read_secret_file(std::filesystem::path(directory) / name, kMaxBytes)).content);
}

Result<SecretBytes> read_source(const PassphraseSource& source, const Question& question) {
  switch (source.kind) {
    case Kind::env:
      return read_environment(source.argument);
    case Kind::file:
      return read_file_source(source.argument);
    case Kind::fd:
      return read_secret_descriptor(parse_descriptor(source.argument).value_or(-1), kMaxBytes);
    case Kind::credential:
      return read_credential(source.argument);
    case Kind::prompt:
      return ask_on_terminal(question.what, kMaxBytes, question.twice);
  }
  return fail(Code::internal, "unknown passphrase source");
}

std::string describe(const PassphraseSource& source) {
  for (const KindRow& row : kPrefixes) {
    if (row.kind == source.kind) return quoted(std::string(row.prefix) + source.argument);
  }
  return "the terminal";
}

bool ends_with(const SecretBytes& secret, char c) {
  return !secret.empty() && secret.data()[secret.size() - 1] == static_cast<std::byte>(c);
}

}  // namespace

Result<PassphraseSource> parse_passphrase_source(std::string_view text) {
  if (text == "prompt") return PassphraseSource{Kind::prompt, {}};
  for (const KindRow& row : kPrefixes) {
    if (!text.starts_with(row.prefix)) continue;
    const std::string_view argument = text.substr(row.prefix.size());
    const bool valid =
        !argument.empty() && argument.find('\0') == std::string_view::npos &&
        (row.kind != Kind::fd || parse_descriptor(argument)) &&
        (row.kind != Kind::credential || argument.find('/') == std::string_view::npos);
    if (valid) return PassphraseSource{row.kind, std::string(argument)};
  }
  return fail(
      Code::invalid_input,
      "a passphrase source is env:NAME, file:PATH, fd:N, credential:NAME or prompt (what was "
      "given is not shown here: it may be a passphrase)");
}

Result<SecretBytes> read_passphrase(const PassphraseSource& source, const Question& question) {
  const std::string doing =
      fmt::format("reading the {} from {}", question.called, describe(source));
  SecretBytes secret = IMPRINT_TRY(read_source(source, question).context(doing));
  if (ends_with(secret, '\n')) {
    secret.resize(secret.size() - 1);
    if (ends_with(secret, '\r')) secret.resize(secret.size() - 1);
  }
  if (secret.empty()) return fail(Error(Code::invalid_input, "it is empty").context(doing));
  if (secret.size() > kMaxBytes) {
    return fail(Error(Code::invalid_input, fmt::format("it has more than {} bytes", kMaxBytes))
                    .context(doing));
  }
  if (text_of(secret.view()).find('\0') != std::string_view::npos) {
    return fail(Error(Code::invalid_input, "it holds a NUL byte").context(doing));
  }
  return secret;
}

}  // namespace imprint::authority
