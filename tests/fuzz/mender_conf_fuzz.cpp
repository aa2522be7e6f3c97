#include <nlohmann/json.hpp>

#include "expect.hpp"
#include "imprint/mender/conf.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace imprint;
  const std::string_view text = fuzz::text_of_input(data, size);
  const auto settings = mender::identity_settings("/c", "/k");
  const auto merged = mender::merge_conf(text, settings);
  if (!merged) {
    fuzz::expect_decent(merged.error());
    return 0;
  }
  const auto again = mender::merge_conf(*merged, settings);
  fuzz::expect(again.has_value() && *again == *merged, "merging twice is merging once");
  const auto conf = mender::effective_conf(*merged, std::nullopt);
  fuzz::expect(conf.has_value(), "what was written can be read");
  fuzz::expect(conf->key() == "/k" && conf->auth_private_key() == "/k",
               "the settings are in force");
  const auto findings = mender::check_conf(*merged, text);
  fuzz::expect(findings.errors.size() + findings.warnings.size() < 1000, "findings are few");
  return 0;
}
