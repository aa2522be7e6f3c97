#include "support/fault.hpp"

namespace imprint::test {

FailNth::FailNth(int nth, int error_number, bool persistent)
    : nth_(nth),
      hook_([calls = calls_, nth, error_number, persistent](std::string_view /*operation*/) {
        const int call = ++*calls;
        return call == nth || (persistent && call > nth) ? error_number : 0;
      }) {}

sys::FaultHook record_operations(std::vector<std::string>& into) {
  return [&into](std::string_view operation) {
    into.emplace_back(operation);
    return 0;
  };
}

}  // namespace imprint::test
