#include "imprint/server/tree.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "imprint/base/whole_folder.hpp"
#include "imprint/crypto/key.hpp"
#include "pair.hpp"
#include "tree_files.hpp"

namespace imprint::server {

namespace {

/// The number of `private.id.N.pem`. A number with leading zeros is another name for the same key.
std::optional<unsigned> id_of(std::string_view name) {
  constexpr std::string_view kPrefix = "private.id.";
  if (!name.starts_with(kPrefix)) return std::nullopt;
  const std::string_view digits = name.substr(kPrefix.size());
  unsigned id = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), id);
  if (error != std::errc() || id == 0 || service_key_file(id) != name) return std::nullopt;
  return id;
}

/// Whether there is a whole set of certificates.
Result<bool> has_layout(const fs::path& directory, Layout layout) {
  bool all = true;
  for (const CertificatePlace& place : certificate_places(layout)) {
    const bool there = IMPRINT_TRY(is_there(directory / place.folder / kCertificateFile));
    all = there && all;
  }
  return all;
}

}  // namespace

Result<std::vector<unsigned>> service_key_ids(const fs::path& directory, Service service) {
  const fs::path folder = directory / service_folder(service);
  std::vector<unsigned> ids;
  const bool unnumbered = IMPRINT_TRY(is_there(folder / kKeyFile));
  if (unnumbered) ids.push_back(0);
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    if (const auto id = id_of(entries->path().filename().native())) ids.push_back(*id);
  }
  if (error && error != std::errc::no_such_file_or_directory &&
      error != std::errc::not_a_directory) {
    return fail(system_error("reading the folder " + quoted(folder.string()), error.value()));
  }
  std::ranges::sort(ids);
  return ids;
}

Result<std::set<fs::path>> tree_paths(const fs::path& directory, Layout layout) {
  std::set<fs::path> paths = {trust_file(layout), kComposeFile, kHelmFile, kSecretsFile};
  for (const CertificatePlace& place : certificate_places(layout)) {
    for (const std::string_view name : {kCertificateFile, kKeyFile, kNextFolder, kOldFolder})
      paths.insert(fs::path(place.folder) / name);
  }
  for (const Service service : kServices) {
    paths.insert(service_folder(service) / kKeyFile);
    const auto ids = IMPRINT_TRY(service_key_ids(directory, service));
    for (const unsigned id : ids)
      paths.insert(service_folder(service) / service_key_file(id));
  }
  return paths;
}

Result<Deployment> read_tree(const fs::path& directory) {
  Deployment tree;
  tree.directory = directory;
  IMPRINT_TRY(refuse_dangling_link(directory));
  const bool current = IMPRINT_TRY(has_layout(directory, Layout::current));
  const bool classic = !current && IMPRINT_TRY(has_layout(directory, Layout::classic));
  if (!current && !classic) {
    return fail(Code::not_found,
                fmt::format("{} holds no keys of a Mender server (neither 'cert/cert.crt' nor "
                            "'certs/api-gateway/cert.crt' and 'certs/storage-proxy/cert.crt'); "
                            "make them with 'imprint keygen', or name their folder with --out",
                            quoted(directory.string())));
  }
  tree.layout = current ? Layout::current : Layout::classic;
  for (const Service service : kServices) {
    std::vector<unsigned> ids = IMPRINT_TRY(service_key_ids(directory, service));
    if (ids.empty()) {
      return fail(Code::invalid_input,
                  fmt::format("{} is missing; put it there",
                              quoted((directory / service_folder(service) / kKeyFile).string())));
    }
    tree.services.push_back({service, std::move(ids)});
  }
  return tree;
}

Result<> check_tree(const Deployment& tree) {
  IMPRINT_TRY(read_pairs(tree.directory, tree.layout, {}));
  for (const ServiceKeys& keys : tree.services) {
    for (const unsigned id : keys.ids) {
      const fs::path file = tree.directory / service_folder(keys.service) / service_key_file(id);
      const crypto::SecretBytes content = IMPRINT_TRY(read_secret(file));
      IMPRINT_TRY(crypto::PrivateKey::from_pem(content.view()).context(quoted(file.string())));
    }
  }
  return {};
}

}  // namespace imprint::server
