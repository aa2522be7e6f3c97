#include "imprint/authority/ca_init.hpp"

#include <fmt/format.h>

#include "imprint/base/file.hpp"
#include "imprint/base/text.hpp"
#include "imprint/crypto/signer.hpp"
#include "probe.hpp"

namespace imprint::authority {

namespace {

constexpr std::string_view kDefaultName = "Imprint Device CA";

/// The files of a folder in the making. Those that it created go again unless kept.
class NewFolder {
 public:
  explicit NewFolder(const fs::path& directory) : directory_(directory) {}

  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;

  // In cleanup the first error is the one that counts, so these are ignored.
  ~NewFolder() {
    if (kept_) return;
    for (const fs::path& path : written_)
      (void)remove_file(path);
    std::error_code ignored;
    if (made_directory_) fs::remove(directory_, ignored);
  }

  Result<> open() {
    std::error_code ignored;
    made_directory_ = !fs::exists(directory_, ignored);
    return make_directories(directory_, 0700);
  }

  Result<> write(const fs::path& path, ByteView content, unsigned mode) {
    // O_EXCL from birth: what another process puts there in between is not overwritten either.
    File file = IMPRINT_TRY(File::create_new(path, mode));
    written_.push_back(path);
    IMPRINT_TRY(file.write_all(0, content));
    IMPRINT_TRY(file.sync());
    return file.close();
  }

  Result<> keep() {
    IMPRINT_TRY(sync_directory(directory_));
    kept_ = true;
    return {};
  }

 private:
  fs::path directory_;
  std::vector<fs::path> written_;
  bool made_directory_ = false;
  bool kept_ = false;
};

Result<> refuse_existing(const fs::path& directory) {
  for (const char* name : {kKeyFile, kCertificateFile, kChainFile}) {
    const fs::path path = directory / name;
    std::error_code ignored;
    if (fs::exists(fs::symlink_status(path, ignored))) {
      return fail(Code::exists, fmt::format("{} exists; a CA is never overwritten: choose another "
                                            "folder, or move this one away",
                                            quoted(path.string())));
    }
  }
  return {};
}

Result<TimePoint> end_of(TimePoint now, std::uint32_t days) {
  if (days == 0)
    return fail(Code::invalid_input, "a CA for 0 days is never valid; give at least 1 day");
  const TimePoint end = now + std::chrono::hours(24) * std::int64_t{days};
  if (end > crypto::kNoExpiry) {
    return fail(
        Code::invalid_input,
        fmt::format("{} days lead past the year 9999, the last a certificate can name", days));
  }
  return end;
}

Result<crypto::Certificate> make_certificate(const CaInit& request, const crypto::PrivateKey& key,
                                             TimePoint now) {
  crypto::CaSpec spec;
  spec.subject = request.subject;
  if (spec.subject.empty())
    spec.subject.push_back({crypto::NameField::common_name, std::string(kDefaultName)});
  spec.not_before = now;
  spec.not_after = IMPRINT_TRY(end_of(now, request.days));
  crypto::Certificate certificate = IMPRINT_TRY(crypto::make_ca_certificate(spec, key));
  const auto signer = IMPRINT_TRY(crypto::make_key_signer(key));
  IMPRINT_TRY(verify_probe(certificate, *signer, now, crypto::Strictness::strict)
                  .context("checking the new CA with a test certificate"));
  return certificate;
}

}  // namespace

Result<NewCa> ca_init(const CaInit& request, const Clock& clock) {
  const fs::path& directory = request.directory;
  IMPRINT_TRY(refuse_existing(directory));

  // Everything that can be refused is, before the folder is touched.
  std::optional<crypto::SecretBytes> passphrase;
  if (request.passphrase) passphrase = IMPRINT_TRY(read_passphrase(*request.passphrase));
  const auto key = IMPRINT_TRY(crypto::PrivateKey::generate(request.key));
  auto certificate = IMPRINT_TRY(make_certificate(request, key, clock.now()));
  const NewCa ca{.certificate = directory / kCertificateFile,
                 .key = directory / kKeyFile,
                 .chain = directory / kChainFile,
                 .parsed = std::move(certificate)};
  const std::string certificate_pem = ca.parsed.to_pem();

  NewFolder folder(directory);
  IMPRINT_TRY(folder.open());
  if (passphrase) {
    const Bytes sealed = IMPRINT_TRY(key.to_encrypted_pem(*passphrase));
    IMPRINT_TRY(folder.write(ca.key, sealed, 0600));
  } else {
    const crypto::SecretBytes plain = IMPRINT_TRY(key.to_pem());
    IMPRINT_TRY(folder.write(ca.key, plain.view(), 0600));
  }
  IMPRINT_TRY(folder.write(ca.certificate, bytes_of(certificate_pem), 0644));
  IMPRINT_TRY(folder.write(ca.chain, bytes_of(certificate_pem), 0644));
  IMPRINT_TRY(folder.keep());
  return ca;
}

}  // namespace imprint::authority
