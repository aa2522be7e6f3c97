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

std::string advice_for_stranger(const AuthoritySource& source,
                                const std::function<bool(const Certificate&)>& has_signed) {
  const auto certificates = read_certificates(source.certificate);
  if (certificates) {
    for (std::size_t i = 1; i < certificates->size(); ++i) {
      if (!has_signed((*certificates)[i])) continue;
      return fmt::format("its own is number {} in that file: put it first, those above it after it",
                         i + 1);
    }
  }
  return "name the key with which that one was made";
}

}  // namespace imprint::authority
