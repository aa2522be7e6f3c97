#include "token_session.hpp"

#include <array>

#include <fmt/format.h>

#include "imprint/base/text.hpp"

namespace imprint::authority {

namespace {

CK_OBJECT_CLASS private_key_class = CKO_PRIVATE_KEY;  // templates point to what is not const

std::vector<CK_ATTRIBUTE> any_private_key() {
  return {{CKA_CLASS, &private_key_class, sizeof(private_key_class)}};
}

/// The private keys that fit a template, up to `most`.
Result<std::vector<CK_OBJECT_HANDLE>> find_objects(const Session& session,
                                                   std::vector<CK_ATTRIBUTE> wanted,
                                                   std::size_t most) {
  CK_FUNCTION_LIST* const functions = session.token().functions();
  CK_RV rv = functions->C_FindObjectsInit(session.get(), wanted.data(), wanted.size());
  if (rv != CKR_OK) return fail(token_error("looking for the key", rv));
  std::vector<CK_OBJECT_HANDLE> found(most);
  CK_ULONG count = 0;
  rv = functions->C_FindObjects(session.get(), found.data(), most, &count);
  functions->C_FindObjectsFinal(session.get());
  if (rv != CKR_OK) return fail(token_error("looking for the key", rv));
  found.resize(count);
  return found;
}

}  // namespace

std::string key_attribute(const Session& session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type) {
  std::array<char, 256> value{};
  CK_ATTRIBUTE wanted{type, value.data(), value.size()};
  const CK_RV rv =
      session.token().functions()->C_GetAttributeValue(session.get(), object, &wanted, 1);
  if (rv != CKR_OK || wanted.ulValueLen > value.size()) return {};
  return {value.data(), wanted.ulValueLen};
}

std::string list_of_keys(const Session& session, const std::vector<CK_OBJECT_HANDLE>& keys) {
  std::string text;
  for (const CK_OBJECT_HANDLE key : keys) {
    std::string id;
    for (const char octet : key_attribute(session, key, CKA_ID))
      id += fmt::format("%{:02x}", static_cast<unsigned char>(octet));
    text += fmt::format("{}{} (id={})", text.empty() ? "" : ", ",
                        quoted(key_attribute(session, key, CKA_LABEL)), id);
  }
  return text;
}

Result<CK_OBJECT_HANDLE> find_key(const Session& session) {
  constexpr std::size_t kMost = 10;
  std::vector<CK_ATTRIBUTE> wanted = any_private_key();
  for (const CK_ATTRIBUTE_TYPE type : {CKA_ID, CKA_LABEL}) {
    if (const CK_ATTRIBUTE* value = p11_kit_uri_get_attribute(session.token().uri(), type))
      wanted.push_back(*value);
  }
  const auto found = IMPRINT_TRY(find_objects(session, wanted, kMost));
  if (found.size() == 1) return found.front();
  if (found.size() > 1) {
    return fail(
        Code::invalid_input,
        fmt::format("the URI matches {}{} private keys: {}; add id= or object= to it", found.size(),
                    found.size() == kMost ? " or more" : "", list_of_keys(session, found)));
  }
  const auto all = IMPRINT_TRY(find_objects(session, any_private_key(), kMost));
  return fail(Code::not_found,
              fmt::format("no private key matches the URI; there is: {}",
                          all.empty() ? std::string("none") : list_of_keys(session, all)));
}

}  // namespace imprint::authority
