#include "folder.hpp"

#include <cstdlib>

namespace imprint::authority::test {

const std::string CaFolder::kGoodExtensions =
    "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n"
    "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n";
const std::vector<std::string> CaFolder::kP256 = {"-algorithm", "EC", "-pkeyopt",
                                                  "ec_paramgen_curve:P-256"};

std::string openssl(std::vector<std::string> arguments, std::string_view input) {
  arguments.insert(arguments.begin(), "openssl");
  const auto result = run_command(arguments, input);
  EXPECT_EQ(result.status, 0) << testing::PrintToString(arguments) << "\n"
                              << result.out << result.err;
  return result.out;
}

void set_environment(const char* name, const char* value) {
  // NOLINTBEGIN(concurrency-mt-unsafe)
  if (value == nullptr) {
    ::unsetenv(name);
  } else {
    ::setenv(name, value, 1);
  }
  // NOLINTEND(concurrency-mt-unsafe)
}

CaFolder::CaFolder(const std::string& extensions, const std::vector<std::string>& generate,
                   const std::vector<std::string>& more) {
  std::vector<std::string> arguments = {"genpkey"};
  arguments.insert(arguments.end(), generate.begin(), generate.end());
  write_key(openssl(arguments));
  const std::string section = extensions.empty() ? "" : "x509_extensions=e\n[e]\n" + extensions;
  const std::string config =
      dir_.write("config", "[req]\ndistinguished_name=dn\n" + section + "[dn]\n");
  arguments = {"req",   "-x509",          "-new",  "-key", key(),  "-config",    config,
               "-subj", "/CN=Foreign CA", "-days", "365",  "-out", certificate()};
  arguments.insert(arguments.end(), more.begin(), more.end());
  openssl(arguments);
}

void CaFolder::write_key(std::string_view content) const {
  std::filesystem::permissions(
      dir_.write("ca.key", content),
      std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

Result<Authority> open(const CaFolder& folder) {
  return Authority::open(folder.files(), now());
}

}  // namespace imprint::authority::test
