#pragma once

#include <cstdint>
#include <string>

#include <SQLiteCpp/SQLiteCpp.h>

#include "imprint/base/bytes.hpp"
#include "imprint/base/clock.hpp"

namespace imprint::ledger {

/// A statement made ready for new parameters when it is taken and for the transaction's end when it
/// is let go.
class Use {
 public:
  explicit Use(SQLite::Statement& statement) : statement_(statement) {}

  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

  // What it returns is the error of the last step, which was reported then.
  ~Use() { statement_.tryReset(); }

  /// No copy: the bytes must live until the statement has run.
  void bind(int index, ByteView bytes) {
    statement_.bindNoCopy(index, bytes.data(), static_cast<int>(bytes.size()));
  }

  void bind_or_null(int index, ByteView bytes) {
    if (bytes.empty()) {
      statement_.bind(index);
    } else {
      bind(index, bytes);
    }
  }

  void bind(int index, const std::string& text) { statement_.bindNoCopy(index, text); }

  void bind_or_null(int index, const std::string& text) {
    if (text.empty()) {
      statement_.bind(index);
    } else {
      bind(index, text);
    }
  }

  void bind(int index, std::int64_t number) { statement_.bind(index, number); }

  void bind(int index, TimePoint time) {
    statement_.bind(index, std::int64_t{time.time_since_epoch().count()});
  }

  void run() { statement_.exec(); }

  SQLite::Statement& operator*() { return statement_; }

 private:
  SQLite::Statement& statement_;
};

}  // namespace imprint::ledger
