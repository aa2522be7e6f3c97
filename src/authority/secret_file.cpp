#include "secret_file.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "imprint/base/file.hpp"
#include "imprint/base/text.hpp"

namespace imprint::authority {

Result<SecretFile> read_secret_file(const std::filesystem::path& path, std::size_t limit_bytes) {
  const File file = IMPRINT_TRY(File::open_read(path));

  struct stat status {};

  if (::fstat(file.fd(), &status) != 0) return fail(system_error(quoted(path.string())));
  const std::uint64_t size = IMPRINT_TRY(file.size_bytes());
  if (size > limit_bytes) {
    return fail(Code::invalid_input,
                fmt::format("{} has {} bytes, more than the {} that it may have",
                            quoted(path.string()), size, limit_bytes));
  }
  SecretFile secret{crypto::SecretBytes(static_cast<std::size_t>(size)),
                    (status.st_mode & 077) != 0};
  IMPRINT_TRY(file.read_exact(0, secret.content.mutable_view()));
  return secret;
}

Result<crypto::SecretBytes> read_secret_descriptor(int descriptor, std::size_t limit_bytes) {
  crypto::SecretBytes buffer(limit_bytes + 1);
  std::size_t used = 0;
  while (used < buffer.size()) {
    const ssize_t got = ::read(descriptor, buffer.data() + used, buffer.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(system_error("reading it"));
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
  }
  buffer.resize(used);
  return buffer;
}

}  // namespace imprint::authority
