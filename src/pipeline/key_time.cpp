#include "key_time.hpp"

#include <chrono>
#include <mutex>
#include <optional>

#include "flow.hpp"

namespace imprint::pipeline {

bool takes_long(crypto::KeyKind kind) noexcept {
  switch (kind) {
    case crypto::KeyKind::rsa_2048:
    case crypto::KeyKind::rsa_3072:
    case crypto::KeyKind::rsa_4096:
      return true;
    default:
      return false;
  }
}

Result<double> seconds_per_key(crypto::KeyKind kind, unsigned jobs) {
  using Clock = std::chrono::steady_clock;
  const auto started = Clock::now();
  const auto enough = started + std::chrono::seconds(1);
  std::size_t begun = 0;  // produce
  std::size_t made = 0;   // record
  std::optional<Error> error;
  std::mutex mutex;
  const Flow flow{
      .produce =
          [&](std::size_t) {
            if (begun >= jobs && Clock::now() >= enough) return false;
            ++begun;
            return true;
          },
      .mint =
          [&](std::size_t) {
            const auto key = crypto::PrivateKey::generate(kind);
            if (key) return;
            const std::lock_guard lock(mutex);
            error = key.error();
          },
      .record = [&](std::size_t) { ++made; },
      .place = [](std::size_t) {},
      .finish = [](std::size_t) {},
  };
  run_flow(flow, jobs, std::size_t{8} * jobs + 2);
  if (error) return fail(std::move(*error));
  return std::chrono::duration<double>(Clock::now() - started).count() / static_cast<double>(made);
}

}  // namespace imprint::pipeline
