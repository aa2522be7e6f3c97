// Which files of this machine are looked at, and as what.

#include <algorithm>
#include <array>
#include <sys/stat.h>

#include <fmt/format.h>

#include "found.hpp"
#include "imprint/base/text.hpp"

namespace imprint::inspect {

namespace {

/// A bundle of all public CAs has a quarter of a megabyte; CRLs of a large fleet have several.
constexpr std::uint64_t kMaxFileBytes = std::uint64_t{64} << 20;
/// What a file begins with, to tell what is worth being read whole.
constexpr std::size_t kSignBytes = std::size_t{64} << 10;
constexpr std::string_view kSqlite = "SQLite format 3";

enum class Content { objects, database, other };

Result<Content> content_of(const File& file) {
  const std::uint64_t size = IMPRINT_TRY(file.size_bytes());
  if (size > kMaxFileBytes) return Content::other;
  Bytes sign(static_cast<std::size_t>(std::min<std::uint64_t>(size, kSignBytes)));
  IMPRINT_TRY(file.read_exact(0, sign));
  const std::string_view text = text_of(sign);
  if (text.starts_with(kSqlite)) return Content::database;
  if (text.find("-----BEGIN ") != std::string_view::npos) return Content::objects;
  // DER: a SEQUENCE, longer than 127 bytes whatever it is.
  const bool is_sequence =
      text.size() > 2 && text[0] == '\x30' && (static_cast<unsigned char>(text[1]) & 0x80U) != 0;
  return is_sequence ? Content::objects : Content::other;
}

unsigned mode_of(const File& file) {
  struct stat status {};

  return ::fstat(file.fd(), &status) == 0 ? status.st_mode & 07777U : 0U;
}

std::string folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path().string() : ".";
}

Result<std::size_t> add_file_objects(Findings& findings, const fs::path& path, const File& file) {
  const std::uint64_t size = IMPRINT_TRY(file.size_bytes());
  crypto::WipedBytes content(static_cast<std::size_t>(size));
  IMPRINT_TRY(file.read_exact(0, content));
  return add_objects(findings, path.string(), folder_of(path), mode_of(file), content);
}

Result<> add_named_file(Findings& findings, const fs::path& path, const Options& options) {
  const File file = IMPRINT_TRY(File::open_read(path));
  const Content content = IMPRINT_TRY(content_of(file));
  if (content == Content::database) {
    return fail(Code::invalid_input,
                fmt::format("{} is a database; a ledger is shown by 'imprint ledger list'",
                            quoted(path.string())));
  }
  if (content == Content::objects) {
    if (IMPRINT_TRY(add_file_objects(findings, path, file)) > 0) return {};
  }
  auto view = options.open_image(path);
  if (view) return add_image(findings, **view);
  if (view.error().code != Code::invalid_input) return fail(std::move(view).error());
  return fail(Code::invalid_input,
              fmt::format("{} holds no certificate, key or CRL, and is no image: {}",
                          quoted(path.string()), view.error().message()));
}

/// Files below a folder, in the order of their names; links are not followed, so that no folder is
/// met twice.
Result<std::vector<fs::path>> files_below(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    std::error_code ignored;
    if (at->is_regular_file(ignored)) files.push_back(at->path());
  }
  if (error) return fail(system_error("looking into " + quoted(folder.string()), error.value()));
  std::ranges::sort(files);
  return files;
}

Result<> add_folder(Findings& findings, const fs::path& folder) {
  const std::size_t before = findings.objects.size();
  const std::vector<fs::path> files = IMPRINT_TRY(files_below(folder));
  for (const fs::path& path : files) {
    const auto file = File::open_read(path);
    if (!file) {  // a private key, to somebody who watches over certificates
      findings.unreadable.push_back({.place = path.string(),
                                     .kind = Kind::unknown,
                                     .name = "not to be read",
                                     .facts = {{"because", printable(file.error().message())}},
                                     .ends = std::nullopt,
                                     .warnings = {}});
      continue;
    }
    const Content content = IMPRINT_TRY(content_of(*file));
    if (content == Content::objects) IMPRINT_TRY(add_file_objects(findings, path, *file));
  }
  if (findings.objects.size() > before) return {};
  return fail(Code::invalid_input,
              fmt::format("{} has no file with a certificate, key or CRL; name images themselves",
                          quoted(folder.string())));
}

}  // namespace

Result<> add_path(Findings& findings, const fs::path& path, const Options& options) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) return add_folder(findings, path);
  return add_named_file(findings, path, options);
}

}  // namespace imprint::inspect
