#pragma once

#include <map>
#include <string>

#include "batch_fixture.hpp"

namespace imprint::cli::test {

/// After any interruption: every image under a final name is whole (`verify` passes), and the
/// ledger, of which a copy is read so that the next run finds it as it was, knows its certificate.
/// `seen` remembers images that were looked at: they must never change again.
class InterruptedBatch {
 public:
  void check_images();

 private:
  std::map<std::string, std::string> seen_;  // name -> size and time of last change
};

/// After the last run: every device of 1..count has exactly one placed certificate, nothing is
/// open, no serial or key came twice, and no temporary file is left.
void expect_all_done(int count);

/// The certificate digest of an image, by `verify`, which has to pass.
[[nodiscard]] std::string verified_certificate(const fs::path& image);

}  // namespace imprint::cli::test
