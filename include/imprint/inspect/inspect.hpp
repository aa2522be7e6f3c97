#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "imprint/base/clock.hpp"
#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"
#include "imprint/files/image.hpp"

/// What a file is: certificates, keys, CRLs and images explained in words, and how they belong
/// together.
namespace imprint::inspect {

enum class Kind { image, certificate, private_key, public_key, request, revocation_list, unknown };

/// The words of messages and of JSON: `image`, `certificate`, `private key`, `public key`,
/// `certificate request`, `CRL`, `unknown`.
[[nodiscard]] std::string_view word(Kind kind) noexcept;

struct Fact {
  std::string_view label;  ///< `signed by`
  std::string text;
};

/// One thing at one place.
struct Entry {
  std::string place;  ///< file; `IMAGE:/path`; with the number where a file holds several things
  Kind kind = Kind::unknown;
  std::string name;  ///< what it is called by itself: a subject, a kind of key
  std::vector<Fact> facts;
  std::optional<TimePoint> ends;      ///< when it can no longer be used, or a CRL is overdue
  std::vector<std::string> warnings;  ///< what is wrong or odd about it, one line each
  bool damaged = false;               ///< nobody can read it
};

struct Options {
  TimePoint now;
  /// Opens an image for reading, however the caller wants that done.
  std::function<Result<std::unique_ptr<files::ImageView>>(const fs::path&)> open_image;
};

/// Looks at files, folders and images together: a key finds its certificate and a certificate its
/// CA in any of them. A folder means the files in it and below that hold certificates, keys or
/// CRLs; images have to be named themselves. A file that holds nothing of the kind and is no image
/// is Code::invalid_input, as is a folder without any. A file in a folder that may not be read is
/// an entry that says so. Reads everything, writes nothing, asks for no passphrase, and shows no
/// secret.
[[nodiscard]] Result<std::vector<Entry>> look_at(std::span<const fs::path> places,
                                                 const Options& options);

}  // namespace imprint::inspect
