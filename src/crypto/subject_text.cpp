// A subject as RFC 2253 writes it, for the ledger: OpenSSL would have to parse every certificate
// again to print it. Tests compare the two.

#include "imprint/crypto/mint.hpp"
#include "name_table.hpp"

namespace imprint::crypto {

namespace {

/// RFC 2253 2.4. Control characters, which it would also escape, are in no checked value.
void append_escaped(std::string_view value, std::string& text) {
  constexpr std::string_view kSpecial = ",+\"\\<>;";
  for (std::size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    const bool at_start = i == 0 && (c == ' ' || c == '#');
    const bool at_end = i + 1 == value.size() && c == ' ';
    if (at_start || at_end || kSpecial.find(c) != std::string_view::npos) text += '\\';
    text += c;
  }
}

void append_attribute(NameField field, std::string_view value, std::string& text) {
  if (!text.empty()) text += ',';
  text += word(field);
  text += '=';
  append_escaped(value, text);
}

}  // namespace

std::string subject_text(std::span<const SubjectAttribute> subject) {
  std::string text;
  for (auto attribute = subject.rbegin(); attribute != subject.rend(); ++attribute)
    append_attribute(attribute->field, attribute->value, text);
  return text;
}

void Profile::subject_text(std::span<const std::string_view> slots, std::string& text) const {
  text.clear();
  // The last attribute comes first, and with it the last of the subject's slots.
  std::size_t slot = 0;
  for (const ProfileAttribute& attribute : spec().subject)
    slot += attribute.constant ? 0 : 1;
  for (auto attribute = spec().subject.rbegin(); attribute != spec().subject.rend(); ++attribute) {
    append_attribute(attribute->field,
                     attribute->constant ? std::string_view(*attribute->constant) : slots[--slot],
                     text);
  }
}

}  // namespace imprint::crypto
