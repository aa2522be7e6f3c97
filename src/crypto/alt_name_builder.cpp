// GeneralNames by OpenSSL's structures, never by its configuration strings: in those
// "DNS:a,DNS:evil.example" is two names.

#include "certificate_builder.hpp"
#include "name_table.hpp"
#include "slot_reader.hpp"

namespace imprint::crypto {

namespace {

using GeneralNamePtr = std::unique_ptr<GENERAL_NAME, Freer<GENERAL_NAME_free>>;
using ObjectPtr = std::unique_ptr<ASN1_OBJECT, Freer<ASN1_OBJECT_free>>;
using TypePtr = std::unique_ptr<ASN1_TYPE, Freer<ASN1_TYPE_free>>;
using OctetStringPtr = std::unique_ptr<ASN1_OCTET_STRING, Freer<ASN1_OCTET_STRING_free>>;

struct SequenceFreer {
  void operator()(ASN1_SEQUENCE_ANY* sequence) const noexcept {
    sk_ASN1_TYPE_pop_free(sequence, ASN1_TYPE_free);
  }
};

using SequencePtr = std::unique_ptr<ASN1_SEQUENCE_ANY, SequenceFreer>;

// id-on-hardwareModuleName, RFC 4108 5.
constexpr const char* kHardwareModuleName = "1.3.6.1.5.5.7.8.4";

bool push(ASN1_SEQUENCE_ANY* sequence, int type, void* value) {
  TypePtr element(ASN1_TYPE_new());
  if (element == nullptr || value == nullptr || ASN1_TYPE_set1(element.get(), type, value) != 1 ||
      sk_ASN1_TYPE_push(sequence, element.get()) <= 0) {
    return false;
  }
  (void)element.release();  // now in `sequence`
  return true;
}

/// SEQUENCE { hwType OBJECT IDENTIFIER, hwSerialNum OCTET STRING }.
TypePtr hardware_module_value(const std::string& hardware_type, std::string_view serial) {
  const ObjectPtr type(OBJ_txt2obj(hardware_type.c_str(), 1));
  const OctetStringPtr number(ASN1_OCTET_STRING_new());
  const SequencePtr parts(sk_ASN1_TYPE_new_null());
  if (type == nullptr || number == nullptr || parts == nullptr ||
      ASN1_OCTET_STRING_set(number.get(), octets(bytes_of(serial)),
                            static_cast<int>(serial.size())) != 1 ||
      !push(parts.get(), V_ASN1_OBJECT, type.get()) ||
      !push(parts.get(), V_ASN1_OCTET_STRING, number.get())) {
    return nullptr;
  }
  return TypePtr(ASN1_TYPE_pack_sequence(ASN1_ITEM_rptr(ASN1_SEQUENCE_ANY), parts.get(), nullptr));
}

bool set_hardware_module(GENERAL_NAME* name, const std::string& hardware_type,
                         std::string_view serial) {
  ObjectPtr kind(OBJ_txt2obj(kHardwareModuleName, 1));
  TypePtr value = hardware_module_value(hardware_type, serial);
  if (kind == nullptr || value == nullptr ||
      GENERAL_NAME_set0_othername(name, kind.get(), value.get()) != 1) {
    return false;
  }
  (void)kind.release();  // both are now in `name`
  (void)value.release();
  return true;
}

bool set_text(GENERAL_NAME* name, AltNameKind kind, std::string_view value) {
  const Bytes content = alt_name_octets(kind, value);
  // IA5String and OCTET STRING are one structure to OpenSSL; the type decides how it is tagged.
  ASN1_STRING* text =
      ASN1_STRING_type_new(kind == AltNameKind::ip ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
  if (text == nullptr) return false;
  GENERAL_NAME_set0_value(name, tag_of(kind) & 0x1f, text);
  return ASN1_STRING_set(text, content.data(), static_cast<int>(content.size())) == 1;
}

bool push_alt_name(GENERAL_NAMES* names, const ProfileAltName& wanted, std::string_view value) {
  GeneralNamePtr name(GENERAL_NAME_new());
  if (name == nullptr) return false;
  const bool set = wanted.kind == AltNameKind::hardware_module
                       ? set_hardware_module(name.get(), wanted.hardware_type, value)
                       : set_text(name.get(), wanted.kind, value);
  if (!set || sk_GENERAL_NAME_push(names, name.get()) <= 0) return false;
  (void)name.release();  // now in `names`
  return true;
}

}  // namespace

Result<GeneralNamesPtr> build_alt_names(std::span<const ProfileAltName> names,
                                        std::span<const std::string_view> slots) {
  SlotReader values(slots);
  GeneralNamesPtr built(GENERAL_NAMES_new());
  for (const ProfileAltName& name : names) {
    if (built == nullptr || !push_alt_name(built.get(), name, values.next(name.constant))) {
      return fail(build_error());
    }
  }
  return built;
}

}  // namespace imprint::crypto
