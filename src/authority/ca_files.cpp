#include "ca_files.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "chain.hpp"
#include "imprint/base/file.hpp"
#include "imprint/base/text.hpp"

namespace imprint::authority {

namespace {

using crypto::Certificate;

Result<std::vector<Certificate>> read_certificates(const std::filesystem::path& path) {
  const Bytes content = IMPRINT_TRY(read_file(path, kMaxCaFileBytes));
  if (text_of(content).find("-----BEGIN ") != std::string_view::npos) {
    return Certificate::parse_all(content).context(quoted(path.string()));
  }
  std::vector<Certificate> single;
  single.push_back(IMPRINT_TRY(Certificate::parse(content).context(quoted(path.string()))));
  return single;
}

std::vector<std::string> warnings_for(const Certificate& ca, const std::filesystem::path& path) {
  std::vector<std::string> warnings;
  const std::string name = quoted(path.string());
  if (ca.version() < 3) {
    warnings.push_back(
        fmt::format("CA certificate {} is X.509 v1: some verifiers refuse it, and nothing in it "
                    "says that it is a CA",
                    name));
  }
  if (ca.has_weak_signature()) {
    warnings.push_back(fmt::format("CA certificate {} is signed with {}, which is broken", name,
                                   ca.signature_algorithm()));
  }
  return warnings;
}

}  // namespace

Result<CaFiles> read_ca_files(const AuthoritySource& source) {
  std::vector<Certificate> certificates =
      IMPRINT_TRY(read_certificates(source.certificate).context("reading the CA certificate"));
  const Certificate ca = certificates.front();
  if (source.chain) {
    auto more = IMPRINT_TRY(read_certificates(*source.chain).context("reading the CA's chain"));
    std::ranges::move(more, std::back_inserter(certificates));
  }
  return CaFiles{ca, chain_above(ca, certificates), warnings_for(ca, source.certificate)};
}

}  // namespace imprint::authority
