#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "imprint/base/bytes.hpp"
#include "imprint/base/clock.hpp"
#include "imprint/base/result.hpp"

namespace imprint::ledger {

/// What became of a certificate; its latest outcome counts. The words are those of the file
/// (docs/ledger.md).
enum class State {
  issued,      ///< no outcome yet: being worked on, or left behind by a run that died
  placed,      ///< in an image or overlay store that was checked and has its final name
  failed,      ///< the device could not be made; the certificate is in no image
  superseded,  ///< another certificate took its place
  lost,        ///< it may be in an image, but nobody knows where
};

[[nodiscard]] std::string_view name(State state) noexcept;

/// Who has the private key.
enum class Purpose { device, server, authority };

[[nodiscard]] std::string_view name(Purpose purpose) noexcept;

/// One run of a command that may issue certificates.
struct RunInfo {
  std::string_view tool_version;
  std::string_view command;   ///< "batch", "inject"; never the whole line, which could hold secrets
  ByteView manifest_sha256;   ///< empty when there is no manifest
  ByteView authority_sha256;  ///< fingerprint of the CA certificate, empty when none is known
  ByteView authority_key_sha256;  ///< of its SubjectPublicKeyInfo, which a renewed one keeps
  TimePoint at;
};

/// A certificate as it goes into the ledger. There is no field for a private key.
struct Issued {
  std::string_view device_id;
  std::string_view subject;
  ByteView serial;              ///< the magnitude, big-endian, 1 to 20 bytes
  ByteView certificate_sha256;  ///< of the DER, 32 bytes
  ByteView public_key_sha256;   ///< of the SubjectPublicKeyInfo, 32 bytes
  TimePoint not_before;
  TimePoint not_after;
  std::string_view key_kind;  ///< the manifest's word, `ec:P-256`
  TimePoint at;
  ByteView certificate;            ///< DER; empty for none
  ByteView public_key;             ///< SubjectPublicKeyInfo, DER; empty for none
  std::string_view identity_data;  ///< a JSON object: what the device will report; empty for none
  Purpose purpose = Purpose::device;
};

/// What became of a certificate. Outcomes are added, never changed.
struct Outcome {
  std::int64_t certificate_row = 0;
  State state = State::placed;  ///< not `issued`, which is the absence of an outcome
  std::string_view file;        ///< image or store that holds it; empty for none
  ByteView digest;              ///< of the overlay or image, empty for none
  std::string_view reason;      ///< for people; empty for `placed`
  TimePoint at;
};

using Sha256 = std::array<std::byte, 32>;

/// A certificate read back, with its latest outcome.
struct DeviceRow {
  std::int64_t certificate_row = 0;
  std::int64_t run = 0;
  std::string device_id;
  std::string subject;
  Bytes serial;
  Sha256 certificate_sha256 = {};
  Sha256 public_key_sha256 = {};
  TimePoint not_before;
  TimePoint not_after;
  std::string key_kind;
  TimePoint issued_at;

  State state = State::issued;
  std::string file;
  Bytes digest;
  std::string reason;
  TimePoint state_at;  ///< `issued_at` while there is no outcome

  bool revoked = false;
  TimePoint revoked_at;
  std::string revoked_for;     ///< RFC 5280's word
  Bytes authority_key_sha256;  ///< of the CA that issued it; empty: not known

  Bytes certificate;          ///< DER; empty: recorded before format 3
  Bytes public_key;           ///< SubjectPublicKeyInfo, DER; empty: recorded before format 3
  std::string identity_data;  ///< a JSON object; empty: not known
  Purpose purpose = Purpose::device;
};

/// What a Mender server answered when it was told of a device.
enum class PreauthorizationState {
  accepted,  ///< new to the server
  known,     ///< there already, with this key
  conflict,  ///< its identity is there already, with another key
  rejected,  ///< for any other reason
};

[[nodiscard]] std::string_view name(PreauthorizationState state) noexcept;

/// An answer as it goes into the ledger. Answers are added, never changed; the latest of a server
/// counts.
struct Preauthorization {
  std::int64_t certificate_row = 0;
  std::string_view server;     ///< its URL, always written the same way: it is compared as text
  std::string_view device_id;  ///< the server's own name for the device; empty for none
  PreauthorizationState state = PreauthorizationState::accepted;
  std::string_view reason;  ///< for people; empty for none
  TimePoint at;
};

/// An answer read back.
struct PreauthorizationRow {
  std::string device_id;
  PreauthorizationState state = PreauthorizationState::accepted;
  std::string reason;
  TimePoint at;
};

/// That a certificate is not to be accepted any more.
struct Revocation {
  std::int64_t certificate_row = 0;
  std::string_view reason;  ///< RFC 5280's word
  TimePoint at;
};

/// A certificate that was issued without this ledger, to be recorded and revoked.
struct RevokedElsewhere {
  Issued certificate;
  std::string_view reason;  ///< RFC 5280's word
  TimePoint at;
};

/// A revoked certificate as a CRL lists it.
struct RevokedEntry {
  ByteView serial;
  TimePoint at;
  std::string_view reason;
};

/// The revoked certificates of one CA key, as they were when it was opened: every walk sees the
/// same. One thread at a time.
class RevokedList {
 public:
  RevokedList(RevokedList&&) noexcept;
  RevokedList& operator=(RevokedList&&) noexcept;
  RevokedList(const RevokedList&) = delete;
  RevokedList& operator=(const RevokedList&) = delete;
  ~RevokedList();

  /// In the order in which they were issued, in bounded memory; the entry is valid during the call.
  Result<> for_each(const std::function<Result<>(const RevokedEntry&)>& visit) const;

 private:
  friend class Ledger;
  struct Impl;
  explicit RevokedList(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

/// A CRL about to be made.
struct CrlRecord {
  ByteView authority_key_sha256;
  TimePoint this_update;
  TimePoint next_update;
  std::uint64_t entries = 0;
  std::uint64_t above = 0;  ///< its number has to be higher: that of a CRL it replaces
};

/// A CRL that was begun.
struct LatestCrl {
  std::uint64_t number = 0;
  TimePoint this_update;
  TimePoint next_update;
  std::uint64_t entries = 0;
};

/// The durable record of every certificate issued and what became of it: one SQLite file
/// (docs/ledger.md).
///
/// What a call has recorded survives the process and a power cut; what it has failed to record is
/// not there at all. All functions may be called by several threads. Errors name the file.
/// Code::no_space when the disk is full, Code::busy when another process writes for longer than ten
/// seconds, Code::database for all else that SQLite refuses.
class Ledger {
 public:
  /// Opens for writing; makes the file (0600) and its tables if needed. A file that is no ledger is
  /// Code::invalid_input, one of a newer format Code::unsupported; both stay as they are.
  static Result<Ledger> open(const std::filesystem::path& path);
  /// Writes nothing; a missing file is Code::not_found. Other processes may write meanwhile.
  static Result<Ledger> open_read_only(const std::filesystem::path& path);

  Ledger(Ledger&&) noexcept;
  Ledger& operator=(Ledger&&) noexcept;
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;
  ~Ledger();

  /// The run's id. A run that never gets an end was killed.
  Result<std::int64_t> begin_run(const RunInfo& run);
  Result<> end_run(std::int64_t run, int exit_status, TimePoint at);

  /// Records certificates, and outcomes of earlier ones, in one transaction. The row of the first
  /// certificate; the others follow it without a gap, in order. A serial or a public key that is in
  /// the ledger already is Code::database: the message names both devices, nothing is recorded, and
  /// no more keys should be made on this machine.
  Result<std::int64_t> record_issued(std::int64_t run, std::span<const Issued> issued,
                                     std::span<const Outcome> also = {});
  Result<> record_outcomes(std::span<const Outcome> outcomes);

  /// The latest certificate of a device.
  [[nodiscard]] Result<std::optional<DeviceRow>> find_device(std::string_view device_id) const;
  [[nodiscard]] Result<std::optional<DeviceRow>> find_serial(ByteView serial) const;
  /// The same among the certificates that revoked() would list: another CA may have issued its own
  /// under this serial.
  [[nodiscard]] Result<std::optional<DeviceRow>> find_serial(ByteView serial,
                                                             ByteView authority_key_sha256) const;
  /// By the SHA-256 of its DER. Looks at every certificate.
  [[nodiscard]] Result<std::optional<DeviceRow>> find_certificate(ByteView sha256) const;
  /// By the SHA-256 of the SubjectPublicKeyInfo.
  [[nodiscard]] Result<std::optional<DeviceRow>> find_public_key(ByteView sha256) const;

  using Visitor = std::function<void(const DeviceRow&)>;

  // The following show what was recorded when they were called, in the order in which it was
  // issued, in bounded memory. The row is reused for the next call. The visitor may use the ledger,
  // also to record.

  /// The latest certificate of each device. A device is done when this is `placed`.
  Result<> for_each_latest(const Visitor& visit) const;
  /// Certificates without an outcome: what a run that died has left behind.
  Result<> for_each_open(const Visitor& visit) const;
  /// Every certificate.
  Result<> for_each(const Visitor& visit) const;
  /// Every certificate of one device.
  Result<> for_each_of(std::string_view device_id, const Visitor& visit) const;

  /// Records revocations in one transaction; how many are new. One that was there before stays as
  /// it was. Certificates from elsewhere become `lost`, and may repeat a public key: whoever issued
  /// them may have renewed them.
  Result<std::int64_t> revoke(std::int64_t run, std::span<const Revocation> revocations,
                              std::span<const RevokedElsewhere> elsewhere = {});
  /// Those issued with this CA key, and those of which it is not known: a serial too many in a CRL
  /// does no harm, one that is missing does. An empty key: all.
  [[nodiscard]] Result<RevokedList> revoked(ByteView authority_key_sha256) const;
  /// Takes the next number for a CRL of this CA key: the time in seconds since 1970, or one more
  /// than the last, or than `above`, where that is higher. So numbers rise (RFC 5280 5.2.3) also
  /// after a ledger was restored from an old copy.
  Result<std::uint64_t> begin_crl(const CrlRecord& crl);
  /// The CRL of this CA key with the highest number.
  [[nodiscard]] Result<std::optional<LatestCrl>> latest_crl(ByteView authority_key_sha256) const;

  /// Records answers in one transaction.
  Result<> record_preauthorized(std::span<const Preauthorization> answers);
  /// The latest answer of this server for a certificate.
  [[nodiscard]] Result<std::optional<PreauthorizationRow>> find_preauthorization(
      std::int64_t certificate_row, std::string_view server) const;
  /// The latest certificate of each device that is placed and not revoked, and for which the latest
  /// answer of this server is neither `accepted` nor `known`. As for_each: a snapshot, in the order
  /// in which they were issued, and the visitor may record.
  Result<> for_each_to_preauthorize(std::string_view server, const Visitor& visit) const;

  /// Gives every certificate without an outcome `superseded` and this reason; how many there were.
  /// For the start of a run, when no other run is at work and those that have their place after all
  /// are recorded as `placed`.
  Result<std::int64_t> supersede_open(std::string_view reason, TimePoint at);

 private:
  struct Impl;
  explicit Ledger(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace imprint::ledger
