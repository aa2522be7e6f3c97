#include "imprint/files/address.hpp"

#include <fmt/format.h>

#include "imprint/base/text.hpp"

namespace imprint::files {
namespace {

[[nodiscard]] bool is_file(const fs::path& path) {
  std::error_code unknown;
  return fs::exists(path, unknown) && !fs::is_directory(path, unknown);
}

/// Where the path of IMAGE:PATH begins; npos when nothing says that this is one.
[[nodiscard]] std::size_t find_path(std::string_view argument) {
  for (std::size_t colon = argument.rfind(':'); colon != std::string_view::npos && colon > 0;
       colon = argument.rfind(':', colon - 1)) {
    if (is_file(fs::path(argument.substr(0, colon)))) return colon;
  }
  const std::size_t colon = argument.find(":/");
  return colon == 0 ? std::string_view::npos : colon;
}

[[nodiscard]] Result<Address> split(std::string_view argument, std::size_t colon) {
  Address address{.image = fs::path(argument.substr(0, colon)), .path = "/", .names_path = true};
  const std::string_view path = argument.substr(colon + 1);
  if (path.empty()) return address;
  if (!path.starts_with('/')) {
    return fail(Code::invalid_input,
                fmt::format("{}: a path inside an image begins with '/': {}", quoted(argument),
                            quoted(fmt::format("{}:/{}", address.image.native(), path))));
  }
  address.path = path;
  return address;
}

}  // namespace

Result<Address> parse_address(std::string_view argument) {
  if (argument.empty()) return fail(Code::invalid_input, "an image is needed: IMAGE or IMAGE:PATH");
  if (is_file(fs::path(argument))) return Address{.image = fs::path(argument)};
  const std::size_t colon = find_path(argument);
  if (colon == std::string_view::npos) return Address{.image = fs::path(argument)};
  return split(argument, colon);
}

Result<std::optional<Address>> parse_place(std::string_view argument) {
  if (argument == "-" || is_file(fs::path(argument))) return std::optional<Address>();
  const std::size_t colon = find_path(argument);
  if (colon == std::string_view::npos) return std::optional<Address>();
  return std::optional(IMPRINT_TRY(split(argument, colon)));
}

}  // namespace imprint::files
