#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "imprint/base/clock.hpp"
#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"
#include "imprint/image/decompress.hpp"
#include "imprint/image/partition.hpp"
#include "imprint/pipeline/engine.hpp"
#include "imprint/verify/verdict.hpp"

namespace imprint::verify {

/// What images are held against. What is not given is not checked, and the verdicts say so.
struct Request {
  TimePoint at;  ///< certificates have to be valid then

  std::vector<fs::path> authorities = {};  ///< PEM files, or CA folders
  std::vector<fs::path> crls = {};         ///< PEM or DER, of these authorities
  /// None: a batch's output directory has its own.
  std::optional<fs::path> ledger = std::nullopt;
  std::optional<fs::path> manifest = std::nullopt;
  std::optional<fs::path> golden = std::nullopt;
  /// Of one image. None: the file of the image's name with `.bmap`, where there is one.
  std::optional<fs::path> bmap = std::nullopt;
  std::optional<fs::path> base = std::nullopt;  ///< where an overlay store's base image is now

  /// Leaves out what reads all of an image: the search for copies of keys, golden image, bmap.
  bool quick = false;
  unsigned jobs = 0;  ///< threads; 0: as many as this process may use

  image::LayoutChoice layout = {};  ///< of all images
  pipeline::EngineChoice engine = {};
  image::Unpacking unpacking = {};  ///< for compressed images; no directory: temporary_directory()
};

/// Told of each image, in the order in which they were named, a directory's by name and a store's
/// as they were stored. From one thread at a time.
using Visitor = std::function<void(const ImageVerdict&)>;

struct Summary {
  std::uint64_t images = 0;
  std::uint64_t failed = 0;
  std::uint64_t unreadable = 0;  ///< of these, those that the system did not let us read
};

/// Proves that images carry identities that their clients will use, from the outside: what a check
/// finds is a verdict, never an error, and nothing is written. `places` are images (also compressed
/// ones), overlay stores, and directories of both. Checks go on after one has failed where they
/// still mean something.
///
/// Errors are about the question: an authority, a ledger or a directory that cannot be read, a
/// directory without images. Code::cancelled after `stop`.
[[nodiscard]] Result<Summary> verify(const std::vector<fs::path>& places, const Request& request,
                                     const Visitor& visit, const std::atomic<bool>& stop);

}  // namespace imprint::verify
