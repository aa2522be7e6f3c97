// A list of revoked certificates under its name. Whoever reads it (a TLS server, each day anew)
// must never see half a list, another CA's, or one that is older than what was there.

#include <algorithm>

#include <fmt/format.h>

#include "imprint/authority/describe.hpp"
#include "imprint/base/text.hpp"
#include "imprint/crypto/crl_reader.hpp"
#include "revocation_list.hpp"

namespace imprint::pipeline {

namespace {

constexpr unsigned kListMode = 0644;  // it is for everybody
constexpr std::size_t kLookBytes = 4096;

Unexpected refuse(const fs::path& output, std::string_view why) {
  return fail(Code::exists,
              fmt::format("{} exists and {}; it is not overwritten: move it away, or choose "
                          "another name",
                          quoted(output.string()), why));
}

Result<std::uint64_t> number_of(const crypto::CrlFacts& facts, const fs::path& output) {
  std::uint64_t number = 0;
  for (const std::byte octet : facts.number.value_or(Bytes())) {
    // SQLite's integers end there.
    if (number >> 55 != 0) return refuse(output, "its CRL number is above what can be followed");
    number = number << 8 | std::to_integer<std::uint64_t>(octet);
  }
  return number;
}

Result<ReplacedCrl> look_at_crl(const File& file, const fs::path& output,
                                const crypto::Certificate& ca) {
  const auto facts = crypto::read_crl(file, ca);
  if (!facts && facts.error().code == Code::corrupt) return refuse(output, "is no CRL");
  if (!facts) return fail(facts.error());
  // By its name only: a CA that has a new key goes on counting.
  if (facts->issuer != crypto::subject_der(ca)) return refuse(output, "is another CA's CRL");
  const std::uint64_t number = IMPRINT_TRY(number_of(*facts, output));
  return ReplacedCrl{.number = number, .entries = facts->entries};
}

Result<> look_at_blacklist(const File& file, const fs::path& output) {
  const std::uint64_t size = IMPRINT_TRY(file.size_bytes());
  Bytes first(static_cast<std::size_t>(std::min<std::uint64_t>(size, kLookBytes)));
  IMPRINT_TRY(file.read_exact(0, first));
  const bool is_list = std::ranges::all_of(text_of(first), [](char c) {
    return std::string_view("0123456789abcdefABCDEF\r\n").find(c) != std::string_view::npos;
  });
  if (!is_list) return refuse(output, "is no blacklist");
  return {};
}

/// What is there already, if that may be replaced.
Result<std::optional<ReplacedCrl>> look_at_replaced(const CrlRequest& request,
                                                    const fs::path& output,
                                                    const crypto::Certificate& ca) {
  const auto file = File::open_read(output);
  if (!file && file.error().code == Code::not_found) return std::optional<ReplacedCrl>();
  if (!file) return fail(file.error());
  if (request.format == CrlFormat::blacklist) {
    IMPRINT_TRY(look_at_blacklist(*file, output));
    return std::optional<ReplacedCrl>();
  }
  return std::optional<ReplacedCrl>(IMPRINT_TRY(look_at_crl(*file, output, ca)));
}

/// Reads the new CRL back as a verifier would.
Result<> prove(const File& file, const CrlReport& report, const crypto::Certificate& ca) {
  const auto wrong = [](std::string_view what) {
    return fail(Code::check_failed,
                fmt::format("the CRL that was written does not read back: {}", what));
  };
  const auto facts = crypto::read_crl(file, ca);
  if (!facts) return wrong(facts.error().message());
  if (!facts->is_signed) return wrong("its signature does not verify");
  if (facts->issuer != crypto::subject_der(ca)) return wrong("it has another issuer");
  if (facts->entries != report.entries) return wrong("it has another number of entries");
  return {};
}

}  // namespace

Result<CrlReport> write_revocations(const CrlRequest& request, const Clock& clock,
                                    const fs::path& output) {
  const auto ca = IMPRINT_TRY(authority::read_ca_certificate(request.authority));
  const fs::path directory = output.has_parent_path() ? output.parent_path() : fs::path(".");
  // A file that is no list of this CA is refused before the lock leaves a trace beside it.
  IMPRINT_TRY(look_at_replaced(request, output, ca));
  // From the look at the old list until the new one has its name.
  std::optional<DirectoryLock> lock;
  if (!request.folder_is_locked) {
    const fs::path lock_file = directory / ("." + output.filename().string() + ".lock");
    lock = IMPRINT_TRY(DirectoryLock::acquire(lock_file));
  }
  const auto replaced = IMPRINT_TRY(look_at_replaced(request, output, ca));
  NewFile file = IMPRINT_TRY(NewFile::beside(output, kListMode));
  std::uint64_t written = 0;
  const crypto::ByteSink sink = [&](ByteView bytes) -> Result<> {
    IMPRINT_TRY(file.file().write_all(written, bytes));
    written += bytes.size();
    return {};
  };
  CrlReport report = IMPRINT_TRY(write_list(request, replaced, clock, sink));
  if (request.format != CrlFormat::blacklist) IMPRINT_TRY(prove(file.file(), report, ca));
  IMPRINT_TRY(file.publish());
  IMPRINT_TRY(sync_directory(directory));
  return report;
}

}  // namespace imprint::pipeline
