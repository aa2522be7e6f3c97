#include "imprint/crypto/usage.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include <fmt/format.h>

#include "ascii.hpp"
#include "imprint/base/text.hpp"

namespace imprint::crypto {

namespace {

constexpr std::array<std::string_view, 5> kKeyUsages = {
    "digitalSignature", "contentCommitment", "keyEncipherment", "dataEncipherment", "keyAgreement"};

struct Purpose {
  std::string_view word;
  std::string_view id;
};

// RFC 5280 4.2.1.12; ipsecIKE is RFC 4945's.
constexpr std::array<Purpose, 8> kPurposes = {{
    {"clientAuth", kClientAuthentication},
    {"serverAuth", "1.3.6.1.5.5.7.3.1"},
    {"codeSigning", "1.3.6.1.5.5.7.3.3"},
    {"emailProtection", "1.3.6.1.5.5.7.3.4"},
    {"timeStamping", "1.3.6.1.5.5.7.3.8"},
    {"OCSPSigning", "1.3.6.1.5.5.7.3.9"},
    {"ipsecIKE", "1.3.6.1.5.5.7.3.17"},
    {"anyExtendedKeyUsage", kAnyExtendedKeyUsage},
}};

constexpr std::size_t kMaxObjectIdCharacters = 128;

std::string_view broken_arc_rule(std::string_view arc) {
  if (arc.empty()) return "it has an empty number (two dots, or a dot at an end)";
  if (!std::ranges::all_of(arc, is_digit)) return "it holds something else than digits and dots";
  if (arc.size() > 1 && arc.front() == '0') return "a number starts with 0";
  return {};
}

std::string_view broken_object_id_rule(std::string_view dotted) {
  if (dotted.size() > kMaxObjectIdCharacters) return "it has more than 128 characters";
  std::array<std::string_view, 2> first{};
  std::size_t arcs = 0;
  for (std::string_view rest = dotted;; ++arcs) {
    const std::size_t end = rest.find('.');
    const std::string_view arc = rest.substr(0, end);
    if (const std::string_view rule = broken_arc_rule(arc); !rule.empty()) return rule;
    if (arcs < first.size()) first.at(arcs) = arc;
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  if (arcs == 0) return "it has one number only";
  if (first[0] > "2" || first[0].size() > 1) return "its first number is not 0, 1 or 2";
  const bool under_40 = first[1].size() == 1 || (first[1].size() == 2 && first[1] < "40");
  if (first[0] != "2" && !under_40) return "its second number is over 39, below 0 and 1 none is";
  return {};
}

bool is_rsa(KeyKind kind) noexcept {
  return kind == KeyKind::rsa_2048 || kind == KeyKind::rsa_3072 || kind == KeyKind::rsa_4096;
}

/// The first value that stands in the list twice.
template <class T>
const T* first_twice(std::span<const T> values) {
  for (auto at = values.begin(); at != values.end(); ++at) {
    if (std::find(values.begin(), at, *at) != at) return &*at;
  }
  return nullptr;
}

}  // namespace

std::string_view word(KeyUsage usage) noexcept {
  return kKeyUsages.at(static_cast<std::size_t>(usage));
}

Result<KeyUsage> parse_key_usage(std::string_view word) {
  for (std::size_t i = 0; i < kKeyUsages.size(); ++i) {
    if (kKeyUsages.at(i) == word) return static_cast<KeyUsage>(i);
  }
  if (word == "nonRepudiation") return KeyUsage::content_commitment;  // its name before X.509 2005
  if (word == "keyCertSign" || word == "cRLSign") {
    return fail(Code::invalid_input,
                fmt::format("{} is for CAs: strict verifiers refuse it in a certificate that is "
                            "none (RFC 5280 4.2.1.3); leave it out",
                            quoted(word)));
  }
  const auto meant = nearest(word, kKeyUsages);
  return fail(Code::invalid_input,
              fmt::format("{} is no key usage; {}", quoted(word),
                          meant ? "did you mean " + quoted(*meant) + "?"
                                : fmt::format("known are {}", fmt::join(kKeyUsages, ", "))));
}

Result<> check_key_usage(KeyKind key, std::span<const KeyUsage> usages) {
  if (const KeyUsage* twice = first_twice(usages)) {
    return fail(Code::invalid_input, fmt::format("key usage '{}' stands twice", word(*twice)));
  }
  for (const KeyUsage usage : usages) {
    const bool encipherment =
        usage == KeyUsage::key_encipherment || usage == KeyUsage::data_encipherment;
    if (encipherment && !is_rsa(key)) {
      return fail(Code::invalid_input,
                  fmt::format("key usage '{}' is for RSA; a key of kind {} cannot encipher "
                              "(RFC 8813, RFC 9295): leave it out",
                              word(usage), name(key)));
    }
    if (usage == KeyUsage::key_agreement && (is_rsa(key) || key == KeyKind::ed25519)) {
      return fail(Code::invalid_input,
                  fmt::format("key usage 'keyAgreement' is for Diffie-Hellman; a key of kind {} "
                              "has none (RFC 3279, RFC 9295): leave it out",
                              name(key)));
    }
  }
  return {};
}

Result<> check_object_id(std::string_view dotted) {
  const std::string_view rule = broken_object_id_rule(dotted);
  if (rule.empty()) return {};
  return fail(Code::invalid_input,
              fmt::format("{} is no object identifier: {}; write it like 1.3.6.1.4.1.99999.1",
                          quoted(dotted.substr(0, kMaxObjectIdCharacters)), rule));
}

Result<std::string> extended_key_usage_id(std::string_view word_or_dotted) {
  std::array<std::string_view, kPurposes.size()> known;
  for (std::size_t i = 0; i < kPurposes.size(); ++i) {
    known.at(i) = kPurposes.at(i).word;
    if (known.at(i) == word_or_dotted) return std::string(kPurposes.at(i).id);
  }
  if (!word_or_dotted.empty() && is_digit(word_or_dotted.front())) {
    IMPRINT_TRY(check_object_id(word_or_dotted));
    return std::string(word_or_dotted);
  }
  const auto meant = nearest(word_or_dotted, known);
  return fail(Code::invalid_input,
              fmt::format("{} is no extended key usage; {}", quoted(word_or_dotted),
                          meant ? "did you mean " + quoted(*meant) + "?"
                                : fmt::format("known are {}, and object identifiers in dotted form",
                                              fmt::join(known, ", "))));
}

std::string extended_key_usage_word(std::string_view word_or_dotted) {
  for (const Purpose& purpose : kPurposes) {
    if (purpose.id == word_or_dotted) return std::string(purpose.word);
  }
  return std::string(word_or_dotted);
}

Result<> check_extended_key_usage(std::span<const std::string> purposes) {
  std::vector<std::string> ids;
  for (const std::string& purpose : purposes)
    ids.push_back(IMPRINT_TRY(extended_key_usage_id(purpose)));
  const std::string* twice = first_twice(std::span<const std::string>(ids));
  if (twice == nullptr) return {};
  return fail(Code::invalid_input,
              fmt::format("extended key usage '{}' stands twice", extended_key_usage_word(*twice)));
}

Result<> check_policies(std::span<const std::string> policies) {
  for (const std::string& policy : policies)
    IMPRINT_TRY(check_object_id(policy).context("policy"));
  const std::string* twice = first_twice(policies);
  if (twice == nullptr) return {};
  return fail(Code::invalid_input,
              fmt::format("policy '{}' stands twice (RFC 5280 4.2.1.4)", *twice));
}

}  // namespace imprint::crypto
