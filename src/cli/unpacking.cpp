#include "unpacking.hpp"

namespace imprint::cli {

image::Unpacking unpacking_for(Console& console, const std::atomic<bool>* stop) {
  image::Unpacking unpacking;
  unpacking.stop = stop;
  if (console.live()) {
    unpacking.tell = [&console](std::string_view doing) { console.note(doing); };
  }
  return unpacking;
}

}  // namespace imprint::cli
