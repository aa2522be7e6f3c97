// Whether an ext file system is sound, as e2fsck judges it, in a few milliseconds and without it.
//
// The passes are e2fsck's, for the same reason: each needs what those before have found. First the
// places of bitmaps and tables, then all inodes with their block maps (every block is claimed in a
// set as it is met, so that nothing is claimed twice and no map can lead in circles), directories,
// reachability, link counts, and in the end the bitmaps against the claims.
//
// It stops at the first finding. e2fsck goes on, because it wants to repair; here one defect is as
// bad as many, and everything behind it can rely on what was checked before it.
//
// Rejected: running e2fsck (a process per file system, and an image in memory has no file to give
// it), and the library's own scans, which read one inode, one bitmap and one directory block at a
// time and allocate for each. The library still opens the file system, knows where things lie, and
// computes checksums and hashes. What e2fsck 1.47 says was read from its source, pass by pass; what
// it only offers (PR_NO_OK: a free count in the superblock that is off, as after every recovery)
// counts for nothing here, too.
//
// An inode's table is read in one piece as far as its group says it is in use. Of a Mender root
// file system of 424 MiB this takes 0.3 ms, e2fsck 10 ms.

#include "imprint/image/consistency.hpp"

#include "ext2_check.hpp"

namespace imprint::image {

Result<> check_consistency(const ImageReader& image, const Partition& partition) {
  Volume::Impl volume(image, nullptr, partition, TimePoint{});
  IMPRINT_TRY(volume.open(0));
  CheckState state(volume);
  IMPRINT_TRY(check_groups(state));
  IMPRINT_TRY(check_inodes(state));
  IMPRINT_TRY(check_special_files(state));
  IMPRINT_TRY(check_directories(state));
  IMPRINT_TRY(check_links(state));
  return check_bitmaps(state);
}

}  // namespace imprint::image
