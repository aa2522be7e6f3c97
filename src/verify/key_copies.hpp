#pragma once

#include <atomic>

#include "findings.hpp"
#include "identity.hpp"
#include "open_image.hpp"

namespace imprint::verify {

/// The private key is where it belongs and nowhere else: all data of the image is searched for its
/// numbers in every form (crypto/key_traces.hpp), free blocks, journal and gaps included. PEM
/// private keys of anybody in free blocks are found, too: they are of an identity that was replaced
/// or of a file that was deleted. Where the key's file is on another
/// file system than ext, that partition is left out, and the verdict says so.
void check_key_copies(OpenImage& image, const Identity& identity, Findings& findings,
                      const std::atomic<bool>& stop);

}  // namespace imprint::verify
