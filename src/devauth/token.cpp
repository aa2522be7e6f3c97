#include "imprint/devauth/token.hpp"

#include <string_view>
#include <sys/stat.h>

#include <fmt/format.h>

#include "imprint/base/file.hpp"
#include "imprint/base/text.hpp"

namespace imprint::devauth {

namespace {

constexpr std::uint64_t kLongestToken = 16U * 1024;  // a header line; servers take 8 KiB or so

/// RFC 6750 2.1, b64token.
bool may_be_in_token(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
         std::string_view("-._~+/=").find(c) != std::string_view::npos;
}

}  // namespace

Result<Token> read_token(const std::filesystem::path& path) {
  const std::string name = quoted(path.string());
  const File file = IMPRINT_TRY(File::open_read(path));

  struct stat status {};

  if (::fstat(file.fd(), &status) != 0) return fail(system_error(name));
  const std::uint64_t size = IMPRINT_TRY(file.size_bytes());
  if (size > kLongestToken) {
    return fail(Code::invalid_input,
                fmt::format("{} has {} bytes: no token is that long; put nothing but the token "
                            "into the file",
                            name, size));
  }
  Token token{crypto::SecretBytes(static_cast<std::size_t>(size)), (status.st_mode & 077) != 0};
  IMPRINT_TRY(file.read_exact(0, token.text.mutable_view()));
  std::string_view text = text_of(token.text.view());
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.ends_with('\r')) text.remove_suffix(1);
  if (text.empty()) {
    return fail(Code::invalid_input, fmt::format("{} holds no token; put one into it", name));
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (may_be_in_token(text[i])) continue;
    return fail(Code::invalid_input,
                fmt::format("{} has at byte {} a character that is in no token; put nothing but "
                            "the token into the file, without quotes and 'Bearer'",
                            name, i + 1));
  }
  token.text.resize(text.size());
  return token;
}

}  // namespace imprint::devauth
