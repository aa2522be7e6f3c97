#include "preauthorize_narrator.hpp"

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "progress.hpp"

namespace imprint::cli {

namespace {

nlohmann::ordered_json text_or_null(std::string_view text) {
  return text.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(text);
}

}  // namespace

Result<> PreauthorizeNarrator::answered(const devauth::Answer& answer) {
  using devauth::Outcome;
  ++gone_;
  const bool bad = answer.outcome == Outcome::conflict || answer.outcome == Outcome::failed;
  if (bad) {
    ++failed_;
    clear_line();
    console_.note(fmt::format("{}: {}: {}", quoted(answer.device.label),
                              devauth::name(answer.outcome), answer.reason));
  }
  if (list_) {
    devices_.push_back({{"device", answer.device.label},
                        {"outcome", devauth::name(answer.outcome)},
                        {"device_id", text_or_null(answer.device_id)},
                        {"reason", text_or_null(answer.reason)}});
  }
  return recorder_ != nullptr ? recorder_->answered(answer) : Result<>();
}

Result<> PreauthorizeNarrator::tick() {
  using namespace std::chrono_literals;
  const auto now = SteadyClock::now();
  if (console_.live() && now - drawn_ >= 100ms) {
    drawn_ = now;
    const double elapsed = std::chrono::duration<double>(now - started_).count();
    console_.err() << "\r\033[K" << progress_text(gone_, failed_, to_do_, elapsed) << std::flush;
  }
  return recorder_ != nullptr ? recorder_->tick() : Result<>();
}

void PreauthorizeNarrator::clear_line() {
  if (console_.live()) console_.err() << "\r\033[K" << std::flush;
}

}  // namespace imprint::cli
