#include "oracles.hpp"

namespace imprint::crypto::test {

std::string text(const SecretBytes& secret) {
  return std::string(text_of(secret.view()));
}

TestCa make_ca(KeyKind kind, TimePoint not_before) {
  PrivateKey key = PrivateKey::generate(kind).value();
  const CaSpec spec{.subject = {{NameField::common_name, "Test Device CA"},
                                {NameField::organization, "Prøve AS"},
                                {NameField::country, "NO"}},
                    .not_before = not_before,
                    .not_after = not_before + 7300 * kDay,
                    .path_length = 0};
  Certificate certificate = make_ca_certificate(spec, key).value();
  auto signer = make_key_signer(key).value();
  return TestCa{std::move(key), std::move(certificate), std::move(signer)};
}

ProfileSpec plain_spec(KeyKind kind, TimePoint not_before) {
  ProfileSpec spec;
  spec.key = kind;
  spec.subject = {{NameField::common_name, std::nullopt},
                  {NameField::organization, "My Organization"},
                  {NameField::email_address, "ops@example.com"},
                  {NameField::country, "NO"}};
  spec.alt_names = {{AltNameKind::dns, std::nullopt}};
  spec.not_before = not_before;
  spec.not_after = not_before + 3650 * kDay;
  return spec;
}

std::string openssl(std::vector<std::string> arguments, std::string_view input) {
  arguments.insert(arguments.begin(), "openssl");
  const CommandResult result = run_command(arguments, input);
  EXPECT_EQ(result.status, 0) << testing::PrintToString(arguments) << "\n"
                              << result.out << result.err;
  return result.out;
}

}  // namespace imprint::crypto::test
