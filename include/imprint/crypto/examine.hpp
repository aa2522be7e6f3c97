#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "imprint/base/bytes.hpp"
#include "imprint/base/clock.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/certificate.hpp"
#include "imprint/crypto/key.hpp"

/// Files of unknown content: which certificates, keys and lists stand in them.
namespace imprint::crypto {

/// Names, purposes and usages of a certificate, in the words that manifests have for them.
struct CertificateNames {
  std::vector<std::string> alt_names;  ///< `DNS:a.example`, `IP:192.0.2.1`; OpenSSL's for others
  std::optional<std::vector<std::string>> purposes;  ///< extendedKeyUsage; none: not said
};

[[nodiscard]] CertificateNames names_of(const Certificate& certificate);

/// A private key as it stands in a file. Never its secret.
struct PrivateKeyFacts {
  std::string form;  ///< `PKCS#8`, `PKCS#1`, `SEC1`; with `encrypted ` before it
  bool encrypted = false;
  /// None: encrypted, or a kind that devices cannot have.
  std::optional<KeyKind> kind = std::nullopt;
  Bytes public_key_der = {};  ///< SubjectPublicKeyInfo; empty while it is encrypted
};

struct PublicKeyFacts {
  std::optional<KeyKind> kind;
  Bytes der;  ///< SubjectPublicKeyInfo
};

/// A request for a certificate (PKCS#10) whose own signature verifies.
struct RequestFacts {
  std::string subject;
  PublicKeyFacts key;
};

struct RevocationListFacts {
  std::string issuer;
  Bytes issuer_der;  ///< the Name, byte for byte
  TimePoint this_update;
  std::optional<TimePoint> next_update;
  std::string number_hex;  ///< of cRLNumber; empty when it has none
  std::uint64_t entries = 0;
};

/// What cannot be read, or is none of these.
struct UnknownObject {
  std::string label;     ///< of the PEM object
  std::string reason;    ///< why, for people
  bool damaged = false;  ///< it says that it is one of these, and cannot be read
};

using FileObject = std::variant<Certificate, PrivateKeyFacts, PublicKeyFacts, RequestFacts,
                                RevocationListFacts, UnknownObject>;

/// All objects of a PEM text, in order, or the one of a DER file. Empty when the content is
/// neither. Damage to one object is that object's own affair. Asks for no passphrase.
[[nodiscard]] std::vector<FileObject> objects_in(ByteView content);

}  // namespace imprint::crypto
