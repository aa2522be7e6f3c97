#pragma once

#include <memory>
#include <vector>

#include "backoff.hpp"
#include "imprint/devauth/preauthorize.hpp"
#include "known_device.hpp"
#include "transfer.hpp"
#include "verdict.hpp"

namespace imprint::devauth {

using SteadyClock = std::chrono::steady_clock;

/// A run of `preauthorize`: places for as many requests as may be under way, each with the device
/// that it is at.
class Run {
 public:
  static Result<std::unique_ptr<Run>> make(std::span<const Preauthorization> devices,
                                           const Options& options, Listener& listener,
                                           const std::atomic<bool>& stop);
  Result<Summary> run();

 private:
  /// What a device's next request is.
  enum class Step {
    ask,    ///< POST
    look,   ///< GET of the device that the server knows
    force,  ///< POST with `force`, once it is known which device gets the key
  };

  struct Place {
    explicit Place(Transfer its_transfer) : transfer(std::move(its_transfer)) {}

    Transfer transfer;
    const Preauthorization* device = nullptr;  ///< none: the place is free
    Step step = Step::ask;
    bool under_way = false;
    unsigned tries = 0;              ///< that have failed
    std::size_t answers_before = 0;  ///< that had come when this device was begun
    std::size_t answers_at_try = 0;  ///< ... when its latest try was
    SteadyClock::time_point ready_at;
    std::string known_id;  ///< of `look` and `force`
  };

  Run(std::span<const Preauthorization> devices, const Options& options, Listener& listener,
      const std::atomic<bool>& stop);

  [[nodiscard]] bool anything_to_do() const;
  Result<> start_what_is_ready();
  Result<> start(Place& place);
  Result<> collect();
  Result<> finish(Place& place, const Reply& reply);
  Result<> judge_known(Place& place, std::string_view json);
  Result<> judge_keys(Place& place, const KnownDevice& known);
  Result<> try_again(Place& place, const Verdict& verdict);
  Result<> settle(Place& place, Outcome outcome, std::string_view device_id,
                  std::string_view reason);
  void next_step(Place& place, Step step);
  void stop_for(Code code, const std::string& reason);
  void give_up_waiting();
  void cut_off();
  [[nodiscard]] int milliseconds_to_wait() const;
  void hide_token(Reply& reply) const;

  std::span<const Preauthorization> devices_;
  const Options& options_;
  Listener& listener_;
  const std::atomic<bool>& stop_;
  crypto::SecretBytes token_;  // with a NUL
  Transfer::Settings settings_;
  Backoff backoff_;
  std::string collection_;  // the URL of all devices
  std::vector<std::unique_ptr<Place>> places_;
  MultiPtr multi_;  // after the places: handles leave it before they end
  std::size_t next_ = 0;
  std::size_t answers_ = 0;  // of any device that show that the server works
  SteadyClock::time_point paused_until_;
  std::optional<SteadyClock::time_point> ending_;  // when what is under way is cut off
  Summary summary_;
};

}  // namespace imprint::devauth
