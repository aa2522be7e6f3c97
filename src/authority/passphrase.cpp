#include "imprint/authority/passphrase.hpp"

#include <array>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <termios.h>
#include <unistd.h>

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "secret_file.hpp"

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

volatile std::sig_atomic_t caught_signal = 0;

void on_signal(int signal) {
  caught_signal = signal;
}

/// While it lives, what ends a program ends a read instead (EINTR); afterwards the signal does what
/// it would have done, and the terminal is as it was by then.
class DelayedSignals {
 public:
  DelayedSignals() {
    caught_signal = 0;

    struct sigaction action {};

    action.sa_handler = on_signal;  // without SA_RESTART
    for (std::size_t i = 0; i < kSignals.size(); ++i)
      ::sigaction(kSignals[i], &action, &before_[i]);
  }

  DelayedSignals(const DelayedSignals&) = delete;
  DelayedSignals& operator=(const DelayedSignals&) = delete;

  ~DelayedSignals() {
    for (std::size_t i = 0; i < kSignals.size(); ++i)
      ::sigaction(kSignals[i], &before_[i], nullptr);
    if (caught_signal != 0) ::raise(caught_signal);
  }

 private:
  static constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

  std::array<struct sigaction, kSignals.size()> before_{};
};

/// The terminal with echo off, as it was again afterwards.
class QuietTerminal {
 public:
  explicit QuietTerminal(int descriptor) : descriptor_(descriptor) {
    if (::tcgetattr(descriptor_, &before_) != 0) return;
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    quiet_ = ::tcsetattr(descriptor_, TCSAFLUSH, &quiet) == 0;
  }

  QuietTerminal(const QuietTerminal&) = delete;
  QuietTerminal& operator=(const QuietTerminal&) = delete;

  ~QuietTerminal() {
    if (quiet_) ::tcsetattr(descriptor_, TCSAFLUSH, &before_);
  }

  [[nodiscard]] bool quiet() const noexcept { return quiet_; }

 private:
  int descriptor_;
  termios before_{};
  bool quiet_ = false;
};

class Descriptor {
 public:
  explicit Descriptor(int descriptor) : descriptor_(descriptor) {}

  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  ~Descriptor() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  [[nodiscard]] int get() const noexcept { return descriptor_; }

 private:
  int descriptor_;
};

// On a terminal nothing can be done about a failed write of the question, and the answer may come
// all the same.
void show(int terminal, std::string_view text) {
  [[maybe_unused]] const ssize_t written = ::write(terminal, text.data(), text.size());
}

Result<SecretBytes> ask_on_terminal() {
  const Descriptor terminal(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY));
  if (terminal.get() < 0) {
    return fail(Code::invalid_input,
                "there is no terminal to ask on; use env:NAME, file:PATH, fd:N or credential:NAME");
  }
  const DelayedSignals signals;
  const QuietTerminal quiet(terminal.get());
  if (!quiet.quiet()) return fail(system_error("switching the terminal's echo off"));
  show(terminal.get(), "Passphrase of the CA key: ");
  SecretBytes line(kMaxBytes + 1);
  std::size_t used = 0;
  while (used < line.size()) {
    const ssize_t got = ::read(terminal.get(), line.data() + used, 1);
    if (caught_signal != 0) return fail(Code::cancelled, "interrupted");
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(system_error("reading the terminal"));
    if (got == 0 || line.data()[used] == std::byte{'\n'}) break;
    ++used;
  }
  show(terminal.get(), "\n");
  line.resize(used);
  return line;
}

Result<SecretBytes> read_source(const PassphraseSource& source) {
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
      return ask_on_terminal();
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

Result<SecretBytes> read_passphrase(const PassphraseSource& source) {
  const std::string doing = "reading the passphrase from " + describe(source);
  SecretBytes secret = IMPRINT_TRY(read_source(source).context(doing));
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
