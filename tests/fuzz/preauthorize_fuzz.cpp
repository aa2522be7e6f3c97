// What `preauthorize` takes from outside; the input's first byte says which. `b`: a file of bodies.
// `a`, or `f` with --force: what a server answers about one device, one answer after the other,
// with lines of `%%` between them. The first line of an answer has the status and the Location, its
// other lines are the body; status 0 is a connection that failed, with libcurl's words in the body.
// `u`: the server's URL.

#include <algorithm>
#include <charconv>

#include "dialogue.hpp"
#include "expect.hpp"
#include "imprint/devauth/server_url.hpp"

namespace {

using namespace imprint;
using devauth::Dialogue;
using devauth::Outcome;
using devauth::Preauthorization;
using fuzz::expect;

/// The device that answers are about; seeds show its key.
constexpr std::string_view kBody =
    R"({"identity_data":{"mac":"00:11"},"pubkey":"-----BEGIN PUBLIC KEY-----\n)"
    R"(MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEF9XOCpwnBW0X+XnYBqSHWIN3eKUT\n)"
    R"(rGtsc0VYqgkNqW1a6JlYo09o5iUWzJB3s9EiNFg0jwS442Dj4hwCPt9yNQ==\n)"
    R"(-----END PUBLIC KEY-----\n"})";

bool is_plain_id(std::string_view id) {
  return !id.empty() && id.size() <= 64 && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  });
}

void expect_decent_words(std::string_view words) {
  expect(!words.empty() && words.size() < 2000, "a reason is said, in short");
  expect(std::none_of(words.begin(), words.end(),
                      [](unsigned char c) { return c < ' ' || c == 0x7F; }),
         "a reason is safe for a terminal");
}

void read_bodies(std::string_view text) {
  const auto devices = devauth::parse_bodies(text);
  if (!devices) {
    fuzz::expect_decent(devices.error());
    return;
  }
  for (const Preauthorization& device : *devices) {
    const auto body =
        devauth::preauthorization_body(device.identity_data, device.public_key, false);
    expect(body.has_value(), "what was taken can be sent");
    const auto again = devauth::parse_bodies(*body);
    expect(again.has_value() && again->size() == 1, "what is sent is one body");
    expect(again->front().identity_data == device.identity_data, "the identity stays");
    expect(again->front().public_key == device.public_key, "the key stays");
  }
}

devauth::Reply parse_answer(std::string_view text) {
  devauth::Reply reply;
  const std::string_view head = text.substr(0, text.find('\n'));
  reply.body = text.substr(std::min(head.size() + 1, text.size()));
  const auto [rest, error] = std::from_chars(
      head.data(), head.data() + std::min<std::size_t>(head.size(), 3), reply.status);
  if (error == std::errc{}) {
    const auto digits = static_cast<std::size_t>(rest - head.data());
    reply.location = head.substr(std::min(digits + 1, head.size()));
  }
  if (reply.status > 0) return reply;
  reply.kind = devauth::Reply::Kind::unreachable;
  constexpr std::size_t kLibcurlSays = 255;  // CURL_ERROR_SIZE
  reply.trouble = ("no connection: " + reply.body).substr(0, kLibcurlSays);
  return reply;
}

void expect_sound(const Dialogue& dialogue, const Dialogue::Next& next) {
  using Kind = Dialogue::Next::Kind;
  if (dialogue.request() != Dialogue::Request::ask)
    expect(is_plain_id(dialogue.known_id()), "an id that a URL can end with");
  if (next.kind == Kind::request) return;
  const bool good = next.kind == Kind::settled &&
                    (next.outcome == Outcome::accepted || next.outcome == Outcome::known);
  if (good) {
    expect(is_plain_id(next.device_id) && next.reason.empty(), "a good end has an id");
  } else {
    expect_decent_words(next.reason);
  }
}

void answer(std::string_view text, bool force) {
  static const Preauthorization device = devauth::parse_bodies(kBody).value().front();
  using Kind = Dialogue::Next::Kind;
  constexpr std::string_view kBetween = "\n%%\n";
  constexpr int kMostInARow = 4;  // ask, look, force, look
  Dialogue dialogue(device, force);
  int in_a_row = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(kBetween), text.size());
    const Dialogue::Next next = dialogue.answered(parse_answer(text.substr(0, end)));
    text.remove_prefix(std::min(end + kBetween.size(), text.size()));
    expect_sound(dialogue, next);
    in_a_row = next.kind == Kind::again ? 0 : in_a_row + 1;
    expect(in_a_row <= kMostInARow, "a server is not asked without end");
    if (next.kind != Kind::request && next.kind != Kind::again) return;
  }
}

void read_url(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return;  // an argument has none
  const auto url = devauth::ServerUrl::parse(text);
  if (!url) {
    fuzz::expect_decent(url.error());
    return;
  }
  expect(url->text().starts_with(url->is_plain_http() ? "http://" : "https://"), "it says how");
  expect(!url->text().ends_with('/'), "paths can be added");
  const auto again = devauth::ServerUrl::parse(url->text());
  expect(again.has_value() && again->text() == url->text(), "what is normal stays");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input = fuzz::text_of_input(data, size);
  if (input.empty()) return 0;
  const std::string_view text = input.substr(1);
  switch (input.front()) {
    case 'b':
      read_bodies(text);
      break;
    case 'a':
    case 'f':
      answer(text, input.front() == 'f');
      break;
    case 'u':
      read_url(text);
      break;
    default:
      break;
  }
  return 0;
}
