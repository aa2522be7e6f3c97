#pragma once

#include <string>

#include "imprint/devauth/preauthorize.hpp"
#include "known_device.hpp"
#include "reply.hpp"
#include "verdict.hpp"

namespace imprint::devauth {

/// What is said to a server about one device: which request is next, and what the answers come to.
/// Knows neither time nor connections.
class Dialogue {
 public:
  enum class Request {
    ask,    ///< POST
    look,   ///< GET of the device that the server knows
    force,  ///< POST with `force`, once it is known which device gets the key
  };

  /// What an answer comes to.
  struct Next {
    enum class Kind {
      request,   ///< another request, at once
      again,     ///< a request after a pause: `reason`, `wait` and `busy` as in Verdict
      settled,   ///< `outcome`, `device_id` and `reason` as in Answer
      hopeless,  ///< as in Verdict, with `reason`
      stop,      ///< ... also this
    };

    Kind kind = Kind::request;
    Outcome outcome = Outcome::failed;
    std::string device_id;
    std::string reason;
    std::optional<std::chrono::seconds> wait;
    bool busy = false;
    bool server_works = false;  ///< the reply is one that only a Mender server gives
  };

  /// `device` has to outlive it. `force`: it gets its key also where it is known by another one.
  Dialogue(const Preauthorization& device, bool force) : device_(&device), force_(force) {}

  [[nodiscard]] Request request() const noexcept { return request_; }

  /// The server's id of the device, for `look` and `force`.
  [[nodiscard]] const std::string& known_id() const noexcept { return known_id_; }

  /// The reply to request().
  [[nodiscard]] Next answered(const Reply& reply);

 private:
  [[nodiscard]] Next judge(Verdict verdict, const Reply& reply);
  [[nodiscard]] Next judge_known(std::string_view json);
  [[nodiscard]] Next judge_keys(const KnownDevice& known);
  [[nodiscard]] Next go_on(Request request);
  [[nodiscard]] Next begin_again(std::string reason);

  const Preauthorization* device_;
  bool force_;
  Request request_ = Request::ask;
  bool forced_ = false;  ///< once is enough: a server that takes no notice would be asked for ever
  std::string known_id_;
};

}  // namespace imprint::devauth
