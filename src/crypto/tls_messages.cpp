#include "tls_messages.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "imprint/crypto/tls_client.hpp"

namespace imprint::crypto {

namespace {

/// Takes length-prefixed parts off the front of a message; empty when it is shorter than it says.
class MessageReader {
 public:
  explicit MessageReader(ByteView rest) : rest_(rest) {}

  [[nodiscard]] bool at_end() const noexcept { return rest_.empty(); }

  ByteView take(std::size_t size) {
    const ByteView taken = rest_.first(std::min(size, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }

  /// A vector whose length stands before it in so many octets.
  ByteView take_vector(std::size_t length_octets) {
    std::size_t size = 0;
    for (const std::byte octet : take(length_octets))
      size = size << 8U | std::to_integer<std::size_t>(octet);
    return take(size);
  }

 private:
  ByteView rest_;
};

/// RFC 8446, appendix B.2; those of TLS 1.2 (RFC 5246, 7.2) among them.
constexpr std::array<std::pair<std::uint8_t, std::string_view>, 28> kAlerts = {{
    {0, "close notify"},
    {10, "unexpected message"},
    {20, "bad record MAC"},
    {21, "decryption failed"},
    {22, "record overflow"},
    {40, "handshake failure"},
    {42, "bad certificate"},
    {43, "unsupported certificate"},
    {44, "certificate revoked"},
    {45, "certificate expired"},
    {46, "certificate unknown"},
    {47, "illegal parameter"},
    {48, "unknown CA"},
    {49, "access denied"},
    {50, "decode error"},
    {51, "decrypt error"},
    {70, "protocol version"},
    {71, "insufficient security"},
    {80, "internal error"},
    {86, "inappropriate fallback"},
    {90, "user canceled"},
    {100, "no renegotiation"},
    {109, "missing extension"},
    {110, "unsupported extension"},
    {112, "unrecognized name"},
    {113, "bad certificate status response"},
    {116, "certificate required"},
    {120, "no application protocol"},
}};

constexpr std::uint8_t kCloseNotify = 0;
constexpr std::uint8_t kUserCanceled = 90;
constexpr std::byte kFatal{2};

}  // namespace

std::vector<ByteView> certificates_of_message(ByteView message, bool tls_1_3) {
  MessageReader reader(message);
  reader.take(4);  // type and length
  if (tls_1_3) reader.take_vector(1);
  MessageReader list(reader.take_vector(3));
  std::vector<ByteView> certificates;
  while (!list.at_end()) {
    certificates.push_back(list.take_vector(3));
    if (tls_1_3) list.take_vector(2);
  }
  return certificates;
}

std::optional<std::uint8_t> fatal_alert(ByteView message) {
  if (message.size() < 2 || message[0] != kFatal) return std::nullopt;
  const auto alert = std::to_integer<std::uint8_t>(message[1]);
  if (alert == kCloseNotify || alert == kUserCanceled) return std::nullopt;
  return alert;
}

std::string tls_alert_name(std::uint8_t alert) {
  const auto* const known =
      std::ranges::find(kAlerts, alert, [](const auto& a) { return a.first; });
  return known != kAlerts.end() ? std::string(known->second) : "alert " + std::to_string(alert);
}

}  // namespace imprint::crypto
