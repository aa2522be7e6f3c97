#include "imprint/base/result.hpp"

#include <system_error>

#include "escape.hpp"

namespace imprint {
namespace {

Code code_of(int error_number) noexcept {
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
      return Code::not_found;
    case EEXIST:
      return Code::exists;
    case ENOSPC:
    case EDQUOT:
      return Code::no_space;
    case EISDIR:
    case ELOOP:
    case ENAMETOOLONG:
      return Code::invalid_input;
    default:
      return Code::io;
  }
}

}  // namespace

std::string_view name(Code code) noexcept {
  switch (code) {
    case Code::invalid_input:
      return "invalid_input";
    case Code::not_found:
      return "not_found";
    case Code::exists:
      return "exists";
    case Code::no_space:
      return "no_space";
    case Code::image_full:
      return "image_full";
    case Code::corrupt:
      return "corrupt";
    case Code::unsupported:
      return "unsupported";
    case Code::crypto:
      return "crypto";
    case Code::io:
      return "io";
    case Code::database:
      return "database";
    case Code::busy:
      return "busy";
    case Code::cancelled:
      return "cancelled";
    case Code::check_failed:
      return "check_failed";
    case Code::internal:
      return "internal";
  }
  return "internal";
}

Error Error::context(std::string doing) && {
  trail.push_back(std::move(doing));
  return std::move(*this);
}

std::string Error::message() const {
  std::string line;
  for (auto doing = trail.rbegin(); doing != trail.rend(); ++doing) {
    line += *doing;
    line += ": ";
  }
  line += what;
  // Names inside are quoted already: only what could break the line or the terminal is escaped.
  return escape(line, Escape::unprintable);
}

Error system_error(std::string what, int error_number) {
  what += ": ";
  what += std::generic_category().message(error_number);
  return {code_of(error_number), std::move(what)};
}

}  // namespace imprint
