#pragma once

#include <memory>
#include <vector>

#include "backoff.hpp"
#include "dialogue.hpp"
#include "imprint/devauth/preauthorize.hpp"
#include "transfer.hpp"

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
  struct Place {
    explicit Place(Transfer its_transfer) : transfer(std::move(its_transfer)) {}

    Transfer transfer;
    const Preauthorization* device = nullptr;  ///< none: the place is free
    std::optional<Dialogue> dialogue;          ///< about it
    bool under_way = false;
    unsigned tries = 0;              ///< that have failed
    std::size_t answers_before = 0;  ///< that had come when this device was begun
    std::size_t answers_at_try = 0;  ///< ... when its latest try was
    SteadyClock::time_point ready_at;
  };

  Run(std::span<const Preauthorization> devices, const Options& options, Listener& listener,
      const std::atomic<bool>& stop);

  [[nodiscard]] bool anything_to_do() const;
  Result<> start_what_is_ready();
  Result<> start(Place& place);
  Result<> collect();
  Result<> finish(Place& place, const Reply& reply);
  Result<> try_again(Place& place, const Dialogue::Next& next);
  Result<> settle(Place& place, Outcome outcome, std::string_view device_id,
                  std::string_view reason);
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
