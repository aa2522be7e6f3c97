#include "imprint/authority/token_uri.hpp"

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "parsed_uri.hpp"

namespace imprint::authority {

namespace {

constexpr std::string_view kScheme = "pkcs11:";

/// `file:/path`, `file:///path`, `file://localhost/path` or `/path`.
Result<std::filesystem::path> pin_file_of(std::string_view source) {
  for (const std::string_view prefix : {"file://localhost/", "file:///", "file:/"}) {
    if (!source.starts_with(prefix)) continue;
    source.remove_prefix(prefix.size() - 1);
    break;
  }
  // What still begins with two slashes names another host.
  if (source.starts_with('/') && !source.starts_with("//")) return std::filesystem::path(source);
  return fail(Code::invalid_input,
              "its pin-source is no absolute path of a file; give one, or say where the PIN is "
              "beside the URI ('pin' in a manifest)");
}

bool asks_for_private_key(P11KitUri* uri) {
  const CK_ATTRIBUTE* type = p11_kit_uri_get_attribute(uri, CKA_CLASS);
  if (type == nullptr) return true;
  return type->ulValueLen == sizeof(CK_OBJECT_CLASS) &&
         *static_cast<const CK_OBJECT_CLASS*>(type->pValue) == CKO_PRIVATE_KEY;
}

}  // namespace

bool is_token_uri(std::string_view text) noexcept {
  return equal_ignoring_ascii_case(text.substr(0, kScheme.size()), kScheme);
}

// The URI is shown in no message before it is known to hold no PIN.
Result<ParsedUri> parse_token_uri(std::string_view text) {
  ParsedUri uri{std::unique_ptr<P11KitUri, UriFree>(p11_kit_uri_new()), std::nullopt};
  if (uri.native == nullptr) return fail(Code::internal, "no memory for a PKCS#11 URI");
  P11KitUri* native = uri.native.get();
  const int error = p11_kit_uri_parse(std::string(text).c_str(), P11_KIT_URI_FOR_ANY, native);
  if (error != P11_KIT_URI_OK) {
    return fail(Code::invalid_input,
                fmt::format("it is no PKCS#11 URI (RFC 7512): {}", p11_kit_uri_message(error)));
  }
  if (p11_kit_uri_get_pin_value(native) != nullptr) {
    return fail(Code::invalid_input,
                "it holds a pin-value, which everybody can read who reads the URI; say where the "
                "PIN is instead ('pin' in a manifest, or pin-source)");
  }
  if (p11_kit_uri_any_unrecognized(native) != 0) {
    return fail(Code::invalid_input,
                quoted(text) + " has an attribute that is not known and so matches nothing");
  }
  if (!asks_for_private_key(native)) {
    return fail(Code::invalid_input, quoted(text) +
                                         " names no private key; leave its type= away, "
                                         "or make it type=private");
  }
  if (const char* const source = p11_kit_uri_get_pin_source(native)) {
    uri.pin_file = IMPRINT_TRY(pin_file_of(source).context(quoted(text)));
  }
  return uri;
}

Result<> check_token_uri(std::string_view uri) {
  IMPRINT_TRY(parse_token_uri(uri));
  return {};
}

}  // namespace imprint::authority
