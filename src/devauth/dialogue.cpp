// `force` is never sent first. The server answers it with 201 and a new id also when it has added
// the key to a device that has another id; so a device is asked for without it, its id taken from
// the 409, and only then is it forced.

#include "dialogue.hpp"

#include <fmt/format.h>

namespace imprint::devauth {

namespace {

using Next = Dialogue::Next;

Next settled(Outcome outcome, std::string device_id, std::string reason = {}) {
  Next next;
  next.kind = Next::Kind::settled;
  next.outcome = outcome;
  next.device_id = std::move(device_id);
  next.reason = std::move(reason);
  return next;
}

Next with_reason(Next::Kind kind, std::string reason) {
  Next next;
  next.kind = kind;
  next.reason = std::move(reason);
  return next;
}

}  // namespace

Next Dialogue::answered(const Reply& reply) {
  using Kind = Verdict::Kind;
  Verdict verdict = request_ == Request::look ? judge_get(reply) : judge_post(reply);
  const bool works = verdict.kind == Kind::created || verdict.kind == Kind::exists ||
                     verdict.kind == Kind::shown || verdict.kind == Kind::refused;
  Next next = judge(std::move(verdict), reply);
  next.server_works = works;
  return next;
}

Next Dialogue::judge(Verdict verdict, const Reply& reply) {
  using Kind = Verdict::Kind;
  switch (verdict.kind) {
    case Kind::created:
      return settled(Outcome::accepted,
                     request_ == Request::force ? known_id_ : std::move(verdict.device_id));
    case Kind::exists:
    case Kind::shown:
      return judge_known(reply.body);
    case Kind::gone:  // decommissioned between the two requests
      return begin_again("the server is removing the device");
    case Kind::retry: {
      Next next = with_reason(Next::Kind::again, std::move(verdict.reason));
      next.wait = verdict.wait;
      next.busy = verdict.busy;
      return next;
    }
    case Kind::refused:
      return settled(Outcome::failed, {}, std::move(verdict.reason));
    case Kind::hopeless:
      return with_reason(Next::Kind::hopeless, std::move(verdict.reason));
    case Kind::stop:
      return with_reason(Next::Kind::stop, std::move(verdict.reason));
  }
  return {};
}

Next Dialogue::judge_known(std::string_view json) {
  const auto known = parse_known_device(json, device_->public_key);
  if (!known) {
    if (request_ == Request::look) {
      return settled(Outcome::failed, known_id_,
                     "the server shows something else than the device that it knows");
    }
    return settled(Outcome::conflict, {},
                   "the server knows this identity (409) and does not show the device: look there "
                   "whether its key is this one");
  }
  if (known->decommissioning) {
    return begin_again(fmt::format("the server is removing the device '{}'", known->id));
  }
  known_id_ = known->id;
  if (!known->keys_shown) {
    if (request_ == Request::look) {
      return settled(Outcome::failed, known_id_, "the server shows the device without its keys");
    }
    return go_on(Request::look);
  }
  return judge_keys(*known);
}

Next Dialogue::judge_keys(const KnownDevice& known) {
  using Key = KnownDevice::Key;
  if (known.key == Key::present) return settled(Outcome::known, known.id);
  // A try that the server has broken off leaves a device without any key: it gets ours.
  const bool unfinished = !known.has_keys && known.status == "preauthorized";
  if ((force_ || unfinished) && !forced_) return go_on(Request::force);
  const std::string device = fmt::format("the server knows it as device '{}'", known.id);
  if (known.key == Key::rejected) {
    return settled(Outcome::conflict, known.id,
                   device + " and has rejected this key; accept it there, or give --force");
  }
  return settled(Outcome::conflict, known.id,
                 device +
                     " by another key; decommission that device, or give --force to add this "
                     "key to it");
}

Next Dialogue::go_on(Request request) {
  request_ = request;
  forced_ = forced_ || request == Request::force;
  return {};
}

Next Dialogue::begin_again(std::string reason) {
  request_ = Request::ask;
  forced_ = false;
  return with_reason(Next::Kind::again, std::move(reason));
}

}  // namespace imprint::devauth
