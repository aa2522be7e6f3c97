#include "device_path.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "imprint/base/utf8.hpp"

namespace imprint::manifest {
namespace {

constexpr std::size_t kMaxNameBytes = 255;
constexpr std::size_t kMaxPathBytes = 4095;

Result<> check_component(std::string_view name) {
  if (name.empty())
    return fail(Code::invalid_input, "a path on the device has a name after every slash");
  if (name == "." || name == "..")
    return fail(Code::invalid_input, fmt::format("{} cannot be part of it", quoted(name)));
  if (name.size() > kMaxNameBytes) {
    return fail(Code::invalid_input, fmt::format("a name of more than {} bytes", kMaxNameBytes));
  }
  return {};
}

}  // namespace

Result<> check_device_path(std::string_view path) {
  if (!path.starts_with('/'))
    return fail(Code::invalid_input, "a path on the device begins with a slash");
  if (path.size() > kMaxPathBytes)
    return fail(Code::invalid_input, fmt::format("more than {} bytes", kMaxPathBytes));
  if (const auto bad = utf8::forbidden_character(path)) {
    return fail(Code::invalid_input, fmt::format("{} is not allowed", *bad));
  }
  std::size_t begin = 1;
  while (begin <= path.size()) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    IMPRINT_TRY(check_component(path.substr(begin, end - begin)));
    begin = end + 1;
  }
  return {};
}

bool is_inside(std::string_view path, std::string_view directory) noexcept {
  return path.size() > directory.size() && path.starts_with(directory) &&
         path[directory.size()] == '/';
}

}  // namespace imprint::manifest
