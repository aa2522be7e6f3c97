// Many small requests to a server that may be slow, busy or away, each of which may be done twice
// but not be forgotten. One thread with libcurl's multi interface: no locks, and a place that waits
// for its next try costs nothing. Threads with a handle each were the alternative; what they would
// gain is in the server's answer time, which this overlaps as well.
//
// Sending twice is harmless, because the server refuses the second with 409 and shows the device:
// that is how an answer that was lost, a run that was killed and a device that somebody else has
// entered are told apart.

#include "run.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "imprint/base/text.hpp"

namespace imprint::devauth {

namespace {

using namespace std::chrono_literals;
using Request = Dialogue::Request;

/// Longer than this no server can ask us to wait: the run says so and ends.
constexpr auto kLongestWait = 5min;
/// What requests under way get once the run is to end.
constexpr auto kGraceTime = 2s;
constexpr auto kLongestPoll = 100ms;

constexpr std::string_view kApi = "/api/management/v2/devauth/devices";

}  // namespace

Run::Run(std::span<const Preauthorization> devices, const Options& options, Listener& listener,
         const std::atomic<bool>& stop)
    : devices_(devices),
      options_(options),
      listener_(listener),
      stop_(stop),
      token_(options.token.view()),
      backoff_(options.first_pause),
      collection_(options.server.text() + std::string(kApi)) {
  token_.resize(token_.size() + 1);
  token_.data()[token_.size() - 1] = std::byte{0};
  settings_.plain_http = options.server.is_plain_http();
  settings_.timeout = options.timeout;
  settings_.ca_pem = options.ca_pem;
  settings_.token = &token_;
}

Result<std::unique_ptr<Run>> Run::make(std::span<const Preauthorization> devices,
                                       const Options& options, Listener& listener,
                                       const std::atomic<bool>& stop) {
  std::unique_ptr<Run> run(new Run(devices, options, listener, stop));
  const std::size_t jobs =
      std::clamp<std::size_t>(options.jobs, 1, std::max<std::size_t>(devices.size(), 1));
  for (std::size_t i = 0; i < jobs; ++i) {
    Transfer transfer = IMPRINT_TRY(Transfer::make(run->settings_));
    run->places_.push_back(std::make_unique<Place>(std::move(transfer)));
  }
  run->multi_.reset(libcurl().multi_init());
  if (run->multi_ == nullptr) return fail(Code::internal, "libcurl has no handle");
  libcurl().multi_setopt(run->multi_.get(), CURLMOPT_MAXCONNECTS, static_cast<long>(jobs));
  return run;
}

Result<Summary> Run::run() {
  while (anything_to_do()) {
    if (stop_ && !summary_.interrupted) {
      summary_.interrupted = true;
      give_up_waiting();
    }
    IMPRINT_TRY(start_what_is_ready());
    int running = 0;
    if (libcurl().multi_perform(multi_.get(), &running) != CURLM_OK) {
      return fail(Code::internal, "libcurl does not go on");
    }
    IMPRINT_TRY(collect());
    IMPRINT_TRY(listener_.tick());
    if (ending_ && SteadyClock::now() >= *ending_) cut_off();
    if (anything_to_do()) {
      libcurl().multi_poll(multi_.get(), nullptr, 0, milliseconds_to_wait(), nullptr);
    }
  }
  summary_.not_sent =
      devices_.size() - summary_.accepted - summary_.known - summary_.conflicts - summary_.failed;
  return std::move(summary_);
}

bool Run::anything_to_do() const {
  const bool busy = std::any_of(places_.begin(), places_.end(),
                                [](const auto& place) { return place->device != nullptr; });
  return busy || (!ending_ && next_ < devices_.size());
}

Result<> Run::start_what_is_ready() {
  const auto now = SteadyClock::now();
  for (const auto& place : places_) {
    if (place->device == nullptr && !ending_ && next_ < devices_.size()) {
      place->device = &devices_[next_++];
      place->dialogue.emplace(*place->device, options_.force);
      place->tries = 0;
      place->answers_before = answers_;
      place->ready_at = now;
    }
    const bool waits = place->device != nullptr && !place->under_way;
    if (waits && now >= place->ready_at && now >= paused_until_) IMPRINT_TRY(start(*place));
  }
  return {};
}

Result<> Run::start(Place& place) {
  place.answers_at_try = answers_;
  const Request request = place.dialogue->request();
  if (request == Request::look) {
    place.transfer.prepare_get(collection_ + "/" + place.dialogue->known_id());
  } else {
    auto body = preauthorization_body(place.device->identity_data, place.device->public_key,
                                      request == Request::force);
    if (!body) return settle(place, Outcome::failed, {}, body.error().message());
    place.transfer.prepare_post(collection_, std::move(*body));
  }
  if (libcurl().multi_add_handle(multi_.get(), place.transfer.handle()) != CURLM_OK) {
    return fail(Code::internal, "libcurl takes no request");
  }
  place.under_way = true;
  return {};
}

Result<> Run::collect() {
  int left = 0;
  while (const CURLMsg* message = libcurl().multi_info_read(multi_.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;  // gone with the handle
    CURL* const handle = message->easy_handle;
    const auto found = std::find_if(places_.begin(), places_.end(), [&](const auto& place) {
      return place->transfer.handle() == handle;
    });
    libcurl().multi_remove_handle(multi_.get(), handle);
    if (found == places_.end()) continue;
    Place& place = **found;
    place.under_way = false;
    Reply reply = place.transfer.take_reply(code);
    hide_token(reply);
    IMPRINT_TRY(finish(place, reply));
  }
  return {};
}

Result<> Run::finish(Place& place, const Reply& reply) {
  using Kind = Dialogue::Next::Kind;
  const Dialogue::Next next = place.dialogue->answered(reply);
  if (next.server_works) ++answers_;
  switch (next.kind) {
    case Kind::request:
      place.ready_at = SteadyClock::now();
      return {};
    case Kind::again:
      return try_again(place, next);
    case Kind::settled:
      return settle(place, next.outcome, next.device_id, next.reason);
    case Kind::hopeless:
      if (summary_.accepted + summary_.known > 0)
        return settle(place, Outcome::failed, {}, next.reason);
      stop_for(Code::invalid_input, next.reason);
      return {};
    case Kind::stop:
      stop_for(Code::invalid_input, next.reason);
      return {};
  }
  return {};
}

Result<> Run::try_again(Place& place, const Dialogue::Next& next) {
  if (ending_) {
    place.device = nullptr;  // the next run's
    return {};
  }
  if (next.wait && *next.wait > kLongestWait) {
    stop_for(Code::busy, fmt::format("{} and asks us to wait for {} s; run the same command again "
                                     "later",
                                     next.reason, next.wait->count()));
    return {};
  }
  // Too many requests at a time is no device's fault as long as others get through.
  if (!next.busy || answers_ == place.answers_at_try) ++place.tries;
  if (place.tries > options_.retries) {
    if (answers_ == place.answers_before) {
      stop_for(Code::io, fmt::format("{} ({} tries); run the same command again to go on",
                                     next.reason, place.tries));
      return {};
    }
    return settle(place, Outcome::failed, {},
                  fmt::format("{} ({} tries)", next.reason, place.tries));
  }
  std::chrono::milliseconds pause = backoff_.pause(std::max(place.tries, 1U));
  if (next.wait) pause = std::max<std::chrono::milliseconds>(pause, *next.wait);
  place.ready_at = SteadyClock::now() + pause;
  // What the server says of this request holds for all of ours.
  if (next.busy || next.wait) paused_until_ = std::max(paused_until_, place.ready_at);
  return {};
}

Result<> Run::settle(Place& place, Outcome outcome, std::string_view device_id,
                     std::string_view reason) {
  switch (outcome) {
    case Outcome::accepted:
      ++summary_.accepted;
      break;
    case Outcome::known:
      ++summary_.known;
      break;
    case Outcome::conflict:
      ++summary_.conflicts;
      break;
    case Outcome::failed:
      ++summary_.failed;
      break;
  }
  const Preauthorization& device = *place.device;
  place.device = nullptr;
  return listener_.answered(
      Answer{.device = device, .outcome = outcome, .device_id = device_id, .reason = reason});
}

void Run::stop_for(Code code, const std::string& reason) {
  if (!summary_.stopped)
    summary_.stopped = Error(code, reason).context(quoted(options_.server.text()));
  give_up_waiting();
  for (const auto& place : places_) {
    if (!place->under_way) place->device = nullptr;
  }
}

void Run::give_up_waiting() {
  if (!ending_) ending_ = SteadyClock::now() + kGraceTime;
  for (const auto& place : places_) {
    const bool has_begun = place->device != nullptr && place->dialogue->request() != Request::ask;
    if (!place->under_way && !has_begun) place->device = nullptr;
  }
}

void Run::cut_off() {
  for (const auto& place : places_) {
    if (place->under_way) libcurl().multi_remove_handle(multi_.get(), place->transfer.handle());
    place->under_way = false;
    place->device = nullptr;
  }
}

int Run::milliseconds_to_wait() const {
  const auto now = SteadyClock::now();
  auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(kLongestPoll);
  for (const auto& place : places_) {
    if (place->under_way) continue;
    const bool is_free = place->device == nullptr;
    if (is_free && (ending_ || next_ == devices_.size())) continue;
    // Rounded up: a millisecond too early would be a round for nothing.
    const auto ready = std::max(is_free ? now : place->ready_at, paused_until_) - now;
    wait = std::clamp(std::chrono::ceil<std::chrono::milliseconds>(ready), 0ms, wait);
  }
  return static_cast<int>(wait.count());
}

/// A server may repeat what it did not like.
void Run::hide_token(Reply& reply) const {
  const std::string_view token = text_of(options_.token.view());
  const auto hide = [&](std::string& text) {
    if (text.find(token) != std::string::npos) text = "(text with the token in it)";
  };
  hide(reply.location);
  hide(reply.trouble);
  if (reply.status >= 300 && reply.status != 409) hide(reply.body);
}

std::string_view name(Outcome outcome) noexcept {
  switch (outcome) {
    case Outcome::accepted:
      return "accepted";
    case Outcome::known:
      return "known";
    case Outcome::conflict:
      return "conflict";
    case Outcome::failed:
      return "failed";
  }
  return "";
}

Result<Summary> preauthorize(std::span<const Preauthorization> devices, const Options& options,
                             Listener& listener, const std::atomic<bool>& stop) {
  const auto run = IMPRINT_TRY(Run::make(devices, options, listener, stop));
  return run->run();
}

}  // namespace imprint::devauth
