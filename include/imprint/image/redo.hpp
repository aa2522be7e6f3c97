#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"
#include "imprint/image/patch.hpp"
#include "imprint/image/reader.hpp"
#include "imprint/image/volume.hpp"

namespace imprint::image {

/// What an edit can be interrupted by and still be whole after recover(). Against a power cut every
/// step waits for the disk, about six times.
enum class Survives { kill, power_cut };

/// Changes an image in place so that, interrupted at any moment, it is the old
/// image or the new one after recover().
///
/// Writes into blocks that were free go first and directly: nothing refers to them yet, so no key
/// byte ever needs to stand in a second file. All other writes (metadata, zeroed old blocks) go
/// into the redo journal `.<name>.imprint-redo` (0600) beside the image, are made durable there,
/// and then applied. A journal without its final mark means "roll back": the listed free ranges get
/// their old bytes again. (docs/image.md, "In-place edits")
class InPlaceEdit {
 public:
  /// Applies a normalized patch. `free_maps`: of every file system the patch reaches, as they were
  /// before it. `note` is kept in the journal and given back by recover(), e.g. which ledger row is
  /// to be completed; it must hold no secret. `planned_on`: the image as it was when the patch was
  /// made; Code::busy when the file has been changed since.
  ///
  /// Code::busy also while another process edits the image, or when an interrupted edit waits for
  /// recover(). After any failure the image is the old one, or recover() makes it the old or the
  /// new one; the message says which. The image is locked (flock) meanwhile.
  static Result<> apply(const fs::path& image, const Patch& patch,
                        const std::vector<std::shared_ptr<const Volume::FreeMap>>& free_maps,
                        std::string_view note, const FileImage* planned_on = nullptr,
                        Survives survives = Survives::power_cut);
};

struct Recovery {
  enum class Outcome { nothing_to_do, rolled_forward, rolled_back };
  Outcome outcome = Outcome::nothing_to_do;
  std::string note;
};

/// Finishes or rolls back what an interrupted InPlaceEdit left. A journal that is damaged, or an
/// image that is not in a state in which the edit can have left it (replaced or changed since), is
/// an error that says so and touches nothing. Safe to call at every start; safe to be interrupted
/// itself. Code::busy while another process edits the image.
[[nodiscard]] Result<Recovery> recover(const fs::path& image);

}  // namespace imprint::image
