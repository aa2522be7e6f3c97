#include "imprint/authority/ca_folder.hpp"

#include <array>
#include <optional>

#include <fmt/format.h>

#include "imprint/base/file.hpp"
#include "imprint/base/text.hpp"

namespace imprint::authority {

namespace {

struct LayoutRow {
  std::string_view tool;
  const char* certificate;
  const char* key;
  const char* chain;  // the certificate itself where the tool keeps none
};

/// Of one tool the first that is there counts: an issuing CA before the root above it.
constexpr std::array<LayoutRow, 6> kLayouts = {{
    {"imprint", kCertificateFile, kKeyFile, kChainFile},
    {"easy-rsa", "ca.crt", "private/ca.key", "ca.crt"},
    {"easy-rsa", "pki/ca.crt", "pki/private/ca.key", "pki/ca.crt"},
    {"openssl ca", "cacert.pem", "private/cakey.pem", "cacert.pem"},
    {"step", "certs/intermediate_ca.crt", "secrets/intermediate_ca_key", "certs/root_ca.crt"},
    {"step", "certs/root_ca.crt", "secrets/root_ca_key", "certs/root_ca.crt"},
}};

Result<> require_folder(const fs::path& directory) {
  std::error_code error;
  if (fs::is_directory(directory, error)) return {};
  const std::string shown = quoted(directory.string());
  const bool told = !error || error == std::errc::no_such_file_or_directory ||
                    error == std::errc::not_a_directory;
  if (!told) return fail(system_error("looking for the CA's folder " + shown, error.value()));
  return fail(Code::not_found, fmt::format("{} is no folder; name a CA's folder", shown));
}

std::string looked_for() {
  std::string names;
  for (const LayoutRow& row : kLayouts) {
    if (!names.empty()) names += ", ";
    names += row.certificate;
  }
  return names;
}

}  // namespace

Result<CaPaths> find_ca_folder(const fs::path& directory) {
  const std::string shown = quoted(directory.string());
  IMPRINT_TRY(require_folder(directory));
  const LayoutRow* found = nullptr;
  for (const LayoutRow& row : kLayouts) {
    if (!IMPRINT_TRY(path_exists(directory / row.certificate))) continue;
    if (found == nullptr) found = &row;
    if (found->tool == row.tool) continue;
    return fail(Code::invalid_input,
                fmt::format("{} holds two CAs, {} (made by {}) and {} (made by {}); move one away",
                            shown, found->certificate, found->tool, row.certificate, row.tool));
  }
  if (found == nullptr) {
    return fail(Code::not_found, fmt::format("there is no CA in {} (none of {}); make one with "
                                             "'imprint ca init', or name its folder",
                                             shown, looked_for()));
  }
  CaPaths folder{.tool = found->tool,
                 .certificate = directory / found->certificate,
                 .key = directory / found->key,
                 .chain = directory / found->chain};
  if (!IMPRINT_TRY(path_exists(folder.chain))) folder.chain = folder.certificate;
  return folder;
}

}  // namespace imprint::authority
