#pragma once

#include "imprint/base/result.hpp"
#include "imprint/crypto/secret.hpp"
#include "imprint/image/volume.hpp"
#include "volume_impl.hpp"

namespace imprint::image {

/// Content of a small file that lies in its inode (inline_data), of the inode's size.
[[nodiscard]] Result<crypto::WipedBytes> inline_content(Volume::Impl& impl, InodeNumber number,
                                                        FullInode& inode);

}  // namespace imprint::image
