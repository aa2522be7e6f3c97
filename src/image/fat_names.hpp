#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "imprint/base/bytes.hpp"
#include "imprint/base/result.hpp"

namespace imprint::image {

/// The 8.3 name of a directory entry (its 32 bytes) as UTF-8, in code page 437 as Linux and mtools
/// take it, in the letter case that the entry asks for.
[[nodiscard]] std::string short_name_of(ByteView entry);

/// The one-byte sum by which entries of a long name belong to the entry of this 8.3 name.
[[nodiscard]] std::byte short_name_checksum(ByteView entry) noexcept;

/// UTF-8, or none when the units are no valid UTF-16.
[[nodiscard]] std::optional<std::string> from_utf16(std::span<const char16_t> units);

/// UTF-16 units of a valid name.
[[nodiscard]] std::size_t utf16_length(std::string_view name) noexcept;

/// Whether a name could come from a file system in order: not one that leads elsewhere.
[[nodiscard]] bool is_plain_name(std::string_view name) noexcept;

/// Code::invalid_input, with the rule, for a name that FAT (or mtools) cannot give to something
/// new.
[[nodiscard]] Result<> check_new_name(std::string_view name);

/// FAT names are the same when they differ in letter case only, as towupper sees it in C.UTF-8.
[[nodiscard]] bool same_name(std::string_view a, std::string_view b);

}  // namespace imprint::image
