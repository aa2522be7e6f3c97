// The declarations that the engine has of its own, against libguestfs's header where that is.

#include <cstddef>
#include <type_traits>

#include <gtest/gtest.h>

#include "library.hpp"

#if __has_include(<guestfs.h>)
#include <guestfs.h>

namespace imprint::guestfs {
namespace {

#define IMPRINT_SAME_FUNCTION(name, ...) \
  static_assert(std::is_same_v<decltype(Library::name), decltype(&guestfs_##name)>, #name);
IMPRINT_GUESTFS_CALLS(IMPRINT_SAME_FUNCTION)

static_assert(sizeof(abi::Statns) == sizeof(struct guestfs_statns));
static_assert(offsetof(abi::Statns, mtime_sec) == offsetof(struct guestfs_statns, st_mtime_sec));
static_assert(offsetof(abi::Statns, size) == offsetof(struct guestfs_statns, st_size));
static_assert(sizeof(abi::Statvfs) == sizeof(struct guestfs_statvfs));
static_assert(offsetof(abi::Statvfs, bavail) == offsetof(struct guestfs_statvfs, bavail));
static_assert(offsetof(abi::Statvfs, frsize) == offsetof(struct guestfs_statvfs, frsize));
static_assert(sizeof(abi::Xattr) == sizeof(struct guestfs_xattr));
static_assert(offsetof(abi::Xattr, value) == offsetof(struct guestfs_xattr, attrval));
static_assert(offsetof(abi::XattrList, items) == offsetof(struct guestfs_xattr_list, val));
static_assert(sizeof(abi::Dirent) == sizeof(struct guestfs_dirent));
static_assert(offsetof(abi::Dirent, name) == offsetof(struct guestfs_dirent, name));
static_assert(offsetof(abi::DirentList, items) == offsetof(struct guestfs_dirent_list, val));
static_assert(offsetof(abi::Version, release) == offsetof(struct guestfs_version, release));
static_assert(sizeof(abi::AddDrive) == sizeof(struct guestfs_add_drive_opts_argv));
static_assert(offsetof(abi::AddDrive, discard) ==
              offsetof(struct guestfs_add_drive_opts_argv, discard));
static_assert(offsetof(abi::AddDrive, cache_mode) ==
              offsetof(struct guestfs_add_drive_opts_argv, cachemode));
static_assert(offsetof(abi::AddDrive, label) ==
              offsetof(struct guestfs_add_drive_opts_argv, label));
static_assert(abi::kReadOnlySet == GUESTFS_ADD_DRIVE_OPTS_READONLY_BITMASK);
static_assert(abi::kFormatSet == GUESTFS_ADD_DRIVE_OPTS_FORMAT_BITMASK);
static_assert(abi::kLabelSet == GUESTFS_ADD_DRIVE_OPTS_LABEL_BITMASK);
static_assert(abi::kCacheModeSet == GUESTFS_ADD_DRIVE_OPTS_CACHEMODE_BITMASK);
static_assert(abi::kDiscardSet == GUESTFS_ADD_DRIVE_OPTS_DISCARD_BITMASK);
static_assert(sizeof(abi::OpenLuks) == sizeof(struct guestfs_cryptsetup_open_argv));
static_assert(abi::kOpenReadOnlySet == GUESTFS_CRYPTSETUP_OPEN_READONLY_BITMASK);
static_assert(abi::kCreateNoEnvironment == GUESTFS_CREATE_NO_ENVIRONMENT);
static_assert(abi::kEventsToSilence == (GUESTFS_EVENT_APPLIANCE | GUESTFS_EVENT_LIBRARY |
                                        GUESTFS_EVENT_TRACE | GUESTFS_EVENT_WARNING));

TEST(GuestAbi, IsThatOfTheHeader) {
  SUCCEED() << "compiled";
}

}  // namespace
}  // namespace imprint::guestfs

#else

TEST(GuestAbi, IsThatOfTheHeader) {
  GTEST_SKIP() << "needs <guestfs.h> (libguestfs-dev)";
}

#endif
