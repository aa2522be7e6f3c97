#include "yaml.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "imprint/base/text.hpp"
#include "imprint/base/utf8.hpp"
#include "imprint/crypto/digest.hpp"

namespace imprint::server::yaml {

namespace {

constexpr std::string_view kFirstLine =
    "# Made by 'imprint keygen', which writes it anew when keys change, as long as nobody edits "
    "it.\n";
constexpr std::string_view kDigestMark = "# sha256 of what follows: ";
constexpr std::size_t kDigestDigits = 64;

std::string heading(ByteView body) {
  return fmt::format("{}{}{}\n", kFirstLine, kDigestMark, to_hex(crypto::sha256(body)));
}

}  // namespace

Result<std::string> text(std::string_view value) {
  if (utf8::first_invalid(value)) {
    return fail(Code::invalid_input,
                quoted(value) + " is no UTF-8, and YAML holds nothing else; choose another name");
  }
  return nlohmann::json(value).dump();
}

void append(crypto::SecretBytes& into, std::string_view plain) {
  into.append(bytes_of(plain));
}

void append_block(crypto::SecretBytes& into, unsigned indent, std::string_view key,
                  ByteView content) {
  append(into, fmt::format("{:{}}{}: |\n", "", indent, key));
  std::string_view rest = text_of(content);
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    append(into, fmt::format("{:{}}", "", indent + 2));
    append(into, rest.substr(0, end));
    append(into, "\n");
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
}

crypto::SecretBytes sealed(const crypto::SecretBytes& body) {
  crypto::SecretBytes text(bytes_of(heading(body.view())));
  text.append(body.view());
  return text;
}

bool is_sealed(ByteView text) {
  const std::size_t heading_bytes = kFirstLine.size() + kDigestMark.size() + kDigestDigits + 1;
  if (text.size() < heading_bytes) return false;
  return text_of(text.first(heading_bytes)) == heading(text.subspan(heading_bytes));
}

}  // namespace imprint::server::yaml
