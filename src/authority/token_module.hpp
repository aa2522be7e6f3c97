#pragma once

#include <memory>
#include <p11-kit/p11-kit.h>
#include <string>
#include <vector>

#include "imprint/base/result.hpp"
#include "parsed_uri.hpp"

namespace imprint::authority {

/// PKCS#11 modules, loaded and initialised (with the operating system's locks) until destroyed.
/// p11-kit counts for modules that somebody else in the process uses too.
class TokenModules {
 public:
  /// The one that the URI names by module-path or module-name, or else all that p11-kit is
  /// configured for. A configured module that does not start is left out; a named one is an error.
  static Result<std::shared_ptr<TokenModules>> load(P11KitUri* uri);
  TokenModules(const TokenModules&) = delete;
  TokenModules& operator=(const TokenModules&) = delete;
  ~TokenModules();

  [[nodiscard]] const std::vector<CK_FUNCTION_LIST*>& list() const noexcept { return modules_; }

 private:
  TokenModules() = default;
  Result<> load_one(const std::string& path);
  Result<> load_configured(const char* module_name);

  std::vector<CK_FUNCTION_LIST*> modules_;
  CK_FUNCTION_LIST** configured_ = nullptr;  // what `modules_` was taken from; p11-kit's list
};

/// File name of a module, for messages.
[[nodiscard]] std::string module_file_name(CK_FUNCTION_LIST* module);

/// `what: reason (CKR number)`.
[[nodiscard]] Error token_error(std::string what, CK_RV rv);

}  // namespace imprint::authority
