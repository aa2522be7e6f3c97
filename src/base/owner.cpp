#include "imprint/base/owner.hpp"

#include <cerrno>
#include <sys/stat.h>

#include "imprint/base/syscalls.hpp"
#include "imprint/base/text.hpp"

namespace imprint {

Result<Owner> owner_of(const fs::path& path) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) == 0) return Owner{status.st_uid, status.st_gid};
  return fail(system_error("looking for the owner of " + quoted(path.native())));
}

Result<> give_to(int fd, Owner owner, const fs::path& shown) {
  struct stat status = {};
  if (::fstat(fd, &status) != 0)
    return fail(system_error("looking for the owner of " + quoted(shown.native())));
  if (Owner{status.st_uid, status.st_gid} == owner) return {};
  if (sys::fchown(fd, owner.user, owner.group) == 0) return {};
  // EINVAL: a user namespace, like a rootless container's, that does not have this owner.
  if (errno == EPERM || errno == EINVAL) return {};
  return fail(system_error("setting the owner of " + quoted(shown.native())));
}

}  // namespace imprint
