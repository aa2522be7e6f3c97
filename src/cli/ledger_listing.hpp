#pragma once

#include <memory>
#include <ostream>
#include <string>

#include "imprint/base/result.hpp"
#include "imprint/ledger/ledger.hpp"

namespace imprint::cli {

/// How `ledger list` prints rows: one at a time, so that a ledger may be of any size.
class Listing {
 public:
  explicit Listing(std::ostream& out) : out_(out) {}

  virtual ~Listing() = default;
  Listing(const Listing&) = delete;
  Listing& operator=(const Listing&) = delete;

  virtual void begin() = 0;
  virtual void row(const ledger::DeviceRow& row) = 0;

  virtual void end() {}

 protected:
  [[nodiscard]] std::ostream& out() noexcept { return out_; }

 private:
  std::ostream& out_;
};

/// `table`, `csv` or `json`; anything else is Code::invalid_input.
Result<std::unique_ptr<Listing>> make_listing(const std::string& format, std::ostream& out);

}  // namespace imprint::cli
