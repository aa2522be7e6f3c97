#pragma once

#include <cstddef>
#include <memory>

#include "imprint/base/bytes.hpp"
#include "imprint/base/result.hpp"
#include "imprint/image/decompress.hpp"

namespace imprint::image {

/// Decodes one member (gzip), stream (bzip2, xz) or frame (zstd), with every checksum that the
/// format has. One thread at a time.
class Decoder {
 public:
  virtual ~Decoder() = default;

  struct Step {
    std::size_t taken = 0;  ///< of the input
    std::size_t given = 0;  ///< to the output
    bool ended = false;     ///< with the last byte taken
  };

  /// Takes and gives what it can: something, if there is room, as long as there is input. `last`:
  /// the file ends with this input. Code::corrupt says what is wrong with the data; nothing may be
  /// called after a failure.
  virtual Result<Step> step(ByteView input, bool last, MutableBytes output) = 0;
};

/// A decoder at the beginning of a member. `kind` is not none.
[[nodiscard]] Result<std::unique_ptr<Decoder>> make_decoder(Compression kind);

}  // namespace imprint::image
