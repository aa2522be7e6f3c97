#pragma once

#include <memory>
#include <string>

#include "imprint/pipeline/export.hpp"

namespace imprint::pipeline {

/// Writes one export. Texts are appended; one object serves one export.
class ExportWriter {
 public:
  ExportWriter() = default;
  virtual ~ExportWriter() = default;
  ExportWriter(const ExportWriter&) = delete;
  ExportWriter& operator=(const ExportWriter&) = delete;

  virtual void begin(std::string& /*to*/) {}

  /// Code::not_found when the ledger lacks what the format needs; `to` is unchanged then. The
  /// message does not name the device.
  virtual Result<> device(const ledger::DeviceRow& row, std::string& to) = 0;

  virtual void end(std::string& /*to*/) {}
};

/// `identity_data` has to live as long as the writer.
[[nodiscard]] std::unique_ptr<ExportWriter> make_export_writer(
    ExportFormat format, const std::vector<manifest::IdentityDatum>& identity_data);

}  // namespace imprint::pipeline
