// A certificate profile, compiled.
//
// Problem: OpenSSL's builder makes 3,000 certificates a second and gets slower with a second
// thread, almost all of it spent in encoders and lookups that give the same bytes every time.
// Approach: build one sample with the builder, read its DER as a tree, and keep it as a
// der::Template: subtrees without a slot are constant bytes, the elements on the way to a slot get
// their lengths computed per device. Slots are found by their place in the structure, and each must
// hold what the sample was given there. What was rejected: splicing at fixed offsets (names vary in
// length), and searching for marker texts (a C has two characters, no room for one).
//
// The compiled form is not trusted on its word: compile() renders two devices with it, with short
// and with long values, and both have to equal what the builder makes of them, byte for byte.

#include "profile.hpp"

#include <algorithm>
#include <map>

#include "key_sizes.hpp"
#include "name_table.hpp"
#include "native.hpp"
#include "pem.hpp"
#include "sample.hpp"
#include "spec.hpp"

namespace imprint::crypto {

namespace {

// Places in TBSCertificate: [0] version, serialNumber, signature, issuer, validity, subject,
// subjectPublicKeyInfo, [3] extensions.
constexpr std::size_t kSerialPlace = 1;
constexpr std::size_t kSubjectPlace = 5;
constexpr std::size_t kPublicKeyPlace = 6;
constexpr std::size_t kExtensionsPlace = 7;

constexpr std::string_view kKeyIdentifierOid = "\x55\x1d\x0e";
constexpr std::string_view kAltNameOid = "\x55\x1d\x11";

Error layout_error() {
  return Error(Code::internal, "the sample certificate of the profile is not laid out as expected");
}

Result<std::vector<der::Element>> children(const der::Element& parent) {
  auto elements = der::read_all(parent.content);
  if (!elements) return fail(layout_error());
  return std::move(*elements);
}

Result<der::Element> child(const der::Element& parent, std::size_t index) {
  const auto elements = IMPRINT_TRY(children(parent));
  if (index >= elements.size()) return fail(layout_error());
  return elements[index];
}

void fill(SlotContents& contents, const Sample& sample) {
  contents.set(kSerialSlot, sample.device.serial);
  contents.set(kPublicKeySlot, sample.public_key_info);
  contents.set(kKeyIdentifierSlot, sample.device.key_identifier);
  contents.set_values(sample.slots);
}

/// Which elements of the sample are slots, by where they start.
class SlotMap {
 public:
  SlotMap(const Sample& sample, const SlotContents& contents)
      : begin_(sample.tbs.data()),
        contents_(contents.view()) {}

  /// The element has to hold what the sample was given for this slot.
  Result<> add(const der::Element& element, std::uint8_t tag, std::size_t slot) {
    const ByteView held = tag == der::Template::kWholeElement ? element.whole : element.content;
    if (!std::ranges::equal(held, contents_[slot]) ||
        (tag != der::Template::kWholeElement && tag != element.tag)) {
      return fail(layout_error());
    }
    if (!places_.emplace(offset(element.whole), Place{tag, slot}).second)
      return fail(layout_error());
    return {};
  }

  [[nodiscard]] std::size_t size() const noexcept { return places_.size(); }

  /// The element itself where it is a slot, otherwise its content with the slots in it.
  Result<> emit(const der::Element& element, der::Template& into) const {
    const std::size_t first = offset(element.whole);
    const auto place = places_.lower_bound(first);
    if (place == places_.end() || place->first >= first + element.whole.size()) {
      into.constant(element.whole);
      return {};
    }
    // An element without a header of its own starts where its first child does: never so in DER, so
    // this is the slot itself.
    if (place->first == first) {
      into.slot(place->second.tag, place->second.slot);
      return {};
    }
    into.open(element.tag);
    for (const der::Element& part : IMPRINT_TRY(children(element))) {
      IMPRINT_TRY(emit(part, into));
    }
    into.close();
    return {};
  }

 private:
  struct Place {
    std::uint8_t tag;
    std::size_t slot;
  };

  [[nodiscard]] std::size_t offset(ByteView part) const noexcept {
    return static_cast<std::size_t>(part.data() - begin_);
  }

  const std::byte* begin_;
  std::span<const ByteView> contents_;
  std::map<std::size_t, Place> places_;
};

/// Subject: SEQUENCE OF SET OF SEQUENCE { type, value }.
Result<> find_subject_slots(const der::Element& tbs, const ProfileSpec& spec, std::size_t& slot,
                            SlotMap& map) {
  const der::Element subject = IMPRINT_TRY(child(tbs, kSubjectPlace));
  for (std::size_t i = 0; i < spec.subject.size(); ++i) {
    if (spec.subject[i].constant) continue;
    const der::Element set = IMPRINT_TRY(child(subject, i));
    const der::Element attribute = IMPRINT_TRY(child(set, 0));
    const der::Element value = IMPRINT_TRY(child(attribute, 1));
    IMPRINT_TRY(map.add(value, row_of(spec.subject[i].field).tag, slot++));
  }
  return {};
}

/// otherName: [0] { type, [0] { SEQUENCE { hwType, hwSerialNum } } }.
Result<der::Element> hardware_serial(const der::Element& name) {
  const der::Element value = IMPRINT_TRY(child(name, 1));
  const der::Element module = IMPRINT_TRY(child(value, 0));
  return child(module, 1);
}

/// Extension: SEQUENCE { type, [critical,] OCTET STRING holding the value }.
Result<> find_extension_slots(const der::Element& tbs, const ProfileSpec& spec, std::size_t& slot,
                              SlotMap& map) {
  if (IMPRINT_TRY(children(tbs)).size() <= kExtensionsPlace) return {};  // none was wanted
  const der::Element wrapper = IMPRINT_TRY(child(tbs, kExtensionsPlace));
  const der::Element extensions = IMPRINT_TRY(child(wrapper, 0));
  for (const der::Element& extension : IMPRINT_TRY(children(extensions))) {
    const auto parts = IMPRINT_TRY(children(extension));
    const std::string_view oid = text_of(parts.front().content);
    if (oid != kKeyIdentifierOid && oid != kAltNameOid) continue;
    const der::Element value = IMPRINT_TRY(child(parts.back(), 0));
    if (oid == kKeyIdentifierOid) {
      IMPRINT_TRY(map.add(value, der::kOctetString, kKeyIdentifierSlot));
      continue;
    }
    for (std::size_t i = 0; i < spec.alt_names.size(); ++i) {
      if (spec.alt_names[i].constant) continue;
      const der::Element name = IMPRINT_TRY(child(value, i));
      if (spec.alt_names[i].kind == AltNameKind::hardware_module) {
        const der::Element serial = IMPRINT_TRY(hardware_serial(name));
        IMPRINT_TRY(map.add(serial, der::kOctetString, slot++));
      } else {
        IMPRINT_TRY(map.add(name, tag_of(spec.alt_names[i].kind), slot++));
      }
    }
  }
  return {};
}

Result<der::Template> compile_tbs(const Sample& sample, const Profile::Impl& profile) {
  SlotContents contents(profile);
  fill(contents, sample);
  const auto tbs = der::read(sample.tbs);
  if (!tbs) return fail(layout_error());
  SlotMap map(sample, contents);
  std::size_t slot = kFirstValueSlot;
  const der::Element serial = IMPRINT_TRY(child(*tbs, kSerialPlace));
  const der::Element public_key = IMPRINT_TRY(child(*tbs, kPublicKeyPlace));
  IMPRINT_TRY(map.add(serial, der::kInteger, kSerialSlot));
  IMPRINT_TRY(map.add(public_key, der::Template::kWholeElement, kPublicKeySlot));
  IMPRINT_TRY(find_subject_slots(*tbs, profile.spec, slot, map));
  IMPRINT_TRY(find_extension_slots(*tbs, profile.spec, slot, map));
  const std::size_t unused = profile.spec.subject_key_identifier ? 0 : 1;
  if (map.size() + unused != contents.view().size()) return fail(layout_error());
  der::Template compiled;
  IMPRINT_TRY(map.emit(*tbs, compiled));
  return compiled;
}

Result<> compare_with_builder(const Profile::Impl& profile, const Sample& sample) {
  SlotContents contents(profile);
  fill(contents, sample);
  std::vector<std::size_t> lengths(profile.tbs.item_count());
  Bytes rendered(profile.tbs.measure(contents.view(), lengths));
  profile.tbs.write(contents.view(), lengths, rendered.data());
  if (rendered != sample.tbs) {
    return fail(Code::internal,
                "the compiled profile does not give the certificate that OpenSSL builds");
  }
  return {};
}

}  // namespace

SlotContents::SlotContents(const Profile::Impl& profile)
    : profile_(&profile),
      contents_(kFirstValueSlot + profile.slot_kinds.size()),
      addresses_(profile.slot_kinds.size()) {}

void SlotContents::set_values(std::span<const std::string_view> values) noexcept {
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto kind = profile_->slot_kinds[i];
    contents_[kFirstValueSlot + i] =
        kind ? alt_name_content(*kind, values[i], addresses_[i]) : bytes_of(values[i]);
  }
}

std::size_t certificate_size(std::size_t tbs_bytes, SignatureAlgorithm algorithm,
                             std::size_t signature_bytes) noexcept {
  return der::element_size(tbs_bytes + algorithm_identifier(algorithm).size() +
                           der::element_size(1 + signature_bytes));
}

Profile::Profile(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}

Profile::~Profile() = default;

const ProfileSpec& Profile::spec() const noexcept {
  return impl_->spec;
}

std::size_t Profile::slot_count() const noexcept {
  return impl_->slot_kinds.size();
}

Result<std::shared_ptr<const Profile>> Profile::compile(ProfileSpec spec, const Certificate& issuer,
                                                        SignatureAlgorithm algorithm) {
  IMPRINT_TRY(check_spec(spec));
  auto impl = std::make_unique<Impl>();
  for (const ProfileAttribute& attribute : spec.subject) {
    if (!attribute.constant) impl->slot_kinds.emplace_back(std::nullopt);
  }
  for (const ProfileAltName& name : spec.alt_names) {
    if (!name.constant) impl->slot_kinds.emplace_back(name.kind);
  }
  const EVP_PKEY* issuer_key = X509_get0_pubkey(native_of(issuer));
  if (issuer_key == nullptr) {
    return fail(openssl_error(Code::unsupported, "the public key of the CA certificate"));
  }
  impl->max_signature_bytes = static_cast<std::size_t>(EVP_PKEY_get_size(issuer_key));
  impl->algorithm = algorithm;
  impl->spec = std::move(spec);
  const auto shortest =
      IMPRINT_TRY(make_sample(impl->spec, issuer, algorithm, SampleLength::shortest));
  const auto longest =
      IMPRINT_TRY(make_sample(impl->spec, issuer, algorithm, SampleLength::longest));
  impl->tbs = IMPRINT_TRY(compile_tbs(*shortest, *impl));
  IMPRINT_TRY(compare_with_builder(*impl, *shortest));
  IMPRINT_TRY(compare_with_builder(*impl, *longest));
  return std::shared_ptr<const Profile>(new Profile(std::move(impl)));
}

Profile::PemSizes Profile::max_pem_sizes(std::span<const std::string_view> slots) const {
  const KeySizes key = max_key_sizes(impl_->spec.key);
  const Serial serial{};
  const KeyIdentifier id{};
  const Bytes public_key_info(key.public_key_info);
  SlotContents contents(*impl_);
  contents.set(kSerialSlot, serial);
  contents.set(kPublicKeySlot, public_key_info);
  contents.set(kKeyIdentifierSlot, id);
  contents.set_values(slots);
  std::vector<std::size_t> lengths(impl_->tbs.item_count());
  const std::size_t tbs = impl_->tbs.measure(contents.view(), lengths);
  const std::size_t certificate =
      certificate_size(tbs, impl_->algorithm, impl_->max_signature_bytes);
  return {pem_size(kPemPrivateKey, key.pkcs8), pem_size(kPemCertificate, certificate)};
}

}  // namespace imprint::crypto
