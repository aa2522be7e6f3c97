#include "expect.hpp"
#include "imprint/manifest/manifest.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace imprint;
  const auto manifest = manifest::parse_manifest(fuzz::text_of_input(data, size), "m.json");
  if (!manifest) {
    fuzz::expect_decent(manifest.error());
    return 0;
  }
  fuzz::expect(!manifest->identity.subject.empty(), "a certificate has a subject");
  if (manifest->inline_devices == nullptr) return 0;
  const auto table = manifest::load_devices(*manifest);
  if (!table) fuzz::expect_decent(table.error());
  return 0;
}
