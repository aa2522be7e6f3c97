#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace imprint::crypto {

/// Constants, and slots in their order, as one list of values.
class SlotReader {
 public:
  explicit SlotReader(std::span<const std::string_view> slots) : slots_(slots) {}

  std::string_view next(const std::optional<std::string>& constant) {
    return constant ? std::string_view(*constant) : slots_[used_++];
  }

  [[nodiscard]] std::span<const std::string_view> rest() const { return slots_.subspan(used_); }

 private:
  std::span<const std::string_view> slots_;
  std::size_t used_ = 0;
};

}  // namespace imprint::crypto
