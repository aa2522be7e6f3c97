#include "imprint/inspect/inspect.hpp"

#include <fmt/format.h>

#include "found.hpp"

namespace imprint::inspect {

std::string_view word(Kind kind) noexcept {
  switch (kind) {
    case Kind::image:
      return "image";
    case Kind::certificate:
      return "certificate";
    case Kind::private_key:
      return "private key";
    case Kind::public_key:
      return "public key";
    case Kind::request:
      return "certificate request";
    case Kind::revocation_list:
      return "CRL";
    case Kind::unknown:
      break;
  }
  return "unknown";
}

std::string Found::place() const {
  return of == 1 ? file : fmt::format("{} ({} of {})", file, number, of);
}

std::size_t add_objects(Findings& findings, const std::string& file, const std::string& folder,
                        unsigned mode, ByteView content) {
  std::vector<crypto::FileObject> objects = crypto::objects_in(content);
  const std::size_t count = objects.size();
  for (std::size_t i = 0; i < count; ++i) {
    findings.objects.push_back({.file = file,
                                .folder = folder,
                                .number = i + 1,
                                .of = count,
                                .mode = mode,
                                .object = std::move(objects[i])});
  }
  return count;
}

Result<std::vector<Entry>> look_at(std::span<const fs::path> places, const Options& options) {
  Findings findings;
  for (const fs::path& place : places)
    IMPRINT_TRY(add_path(findings, place, options));
  std::vector<Entry> entries = std::move(findings.images);
  std::vector<Entry> explained = explain(findings.objects, options.now);
  std::move(explained.begin(), explained.end(), std::back_inserter(entries));
  std::move(findings.unreadable.begin(), findings.unreadable.end(), std::back_inserter(entries));
  return entries;
}

}  // namespace imprint::inspect
