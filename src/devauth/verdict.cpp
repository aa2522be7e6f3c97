#include "verdict.hpp"

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "known_device.hpp"
#include "shortened.hpp"

namespace imprint::devauth {

namespace {

using Kind = Verdict::Kind;

Verdict verdict(Kind kind, std::string reason) {
  Verdict result;
  result.kind = kind;
  result.reason = std::move(reason);
  return result;
}

/// `answers 400: what the server says`.
std::string answers(const Reply& reply) {
  const std::string text = error_text(reply.body);
  return fmt::format("the server answers {}{}{}", reply.status, text.empty() ? "" : ": ", text);
}

Verdict judge_trouble(const Reply& reply) {
  switch (reply.kind) {
    case Reply::Kind::untrusted:
      return verdict(Kind::stop,
                     fmt::format("its certificate is not trusted ({}); give the certificate that "
                                 "it is signed with as --ca-file, and a name that is in it as "
                                 "--server",
                                 printable(reply.trouble)));
    case Reply::Kind::too_large:
      return verdict(Kind::hopeless,
                     reply.trouble + ", as no Mender server's has; is --server right?");
    case Reply::Kind::unreachable:
    case Reply::Kind::answer:
      break;
  }
  return verdict(Kind::retry, printable(reply.trouble));
}

Verdict judge_status(const Reply& reply) {
  switch (reply.status) {
    case 401:
      return verdict(Kind::stop,
                     "the server does not accept the token (401): it has expired or is "
                     "another server's; put a new one into the --token-file");
    case 403:
      return verdict(Kind::hopeless,
                     "the token does not allow it (403): its user needs the right "
                     "to preauthorize devices");
    case 404:
    case 405:
      return verdict(Kind::hopeless,
                     fmt::format("there is no device API ({}); is --server right?", reply.status));
    case 408:
    case 425:
    case 429: {
      Verdict result = verdict(Kind::retry, answers(reply));
      result.wait = reply.retry_after;
      result.busy = reply.status == 429;
      return result;
    }
    default:
      break;
  }
  if (reply.status >= 500) {
    Verdict result = verdict(Kind::retry, answers(reply));
    result.wait = reply.retry_after;
    return result;
  }
  if (reply.status >= 300 && reply.status < 400) {
    return verdict(Kind::hopeless,
                   fmt::format("the server sends us to {} ({}), where the token must not go; give "
                               "the address of the Mender server itself as --server",
                               quoted(shortened(reply.location)), reply.status));
  }
  if (reply.status >= 400) return verdict(Kind::refused, answers(reply));
  return verdict(Kind::hopeless,
                 fmt::format("the server answers {}, as no Mender server does; is --server right?",
                             reply.status));
}

}  // namespace

Verdict judge_post(const Reply& reply) {
  if (reply.kind != Reply::Kind::answer) return judge_trouble(reply);
  if (reply.status == 409) return verdict(Kind::exists, {});
  if (reply.status != 201) return judge_status(reply);
  const auto id = device_id_of(reply.location);
  // Sent once more, the server answers 409 and shows the device with its id.
  if (!id) return verdict(Kind::retry, "the server answers 201 without the device's id");
  Verdict created = verdict(Kind::created, {});
  created.device_id = *id;
  return created;
}

Verdict judge_get(const Reply& reply) {
  if (reply.kind != Reply::Kind::answer) return judge_trouble(reply);
  if (reply.status == 200) return verdict(Kind::shown, {});
  if (reply.status == 404) return verdict(Kind::gone, {});
  return judge_status(reply);
}

}  // namespace imprint::devauth
