#pragma once

namespace imprint::cli {

/// Makes sure that descriptors 0, 1 and 2 are taken before anything is opened. A program can be
/// started with some of them closed (`<&-`); the next file opened, an image for instance, would get
/// the number, and be read as standard input or written over with messages. What takes the place
/// fails when it is read or written, as a closed stream does. To be called before threads start.
void occupy_standard_streams() noexcept;

}  // namespace imprint::cli
