#include "token_module.hpp"

#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>

#include "imprint/base/text.hpp"

namespace imprint::authority {

namespace {

struct StringFree {
  void operator()(char* text) const noexcept { std::free(text); }
};

using OwnedText = std::unique_ptr<char, StringFree>;

/// `softhsm2` for the module that p11-kit calls so, and for a file softhsm2.so or libsofthsm2.so.
bool is_called(CK_FUNCTION_LIST* module, std::string_view name) {
  const OwnedText configured(p11_kit_module_get_name(module));
  if (configured != nullptr && name == configured.get()) return true;
  const std::string stem = std::filesystem::path(module_file_name(module)).stem().string();
  return stem == name || stem == "lib" + std::string(name);
}

/// Modules that hold trusted certificates and no keys; p11-kit's own is always there.
bool holds_trust_only(CK_FUNCTION_LIST* module) {
  const OwnedText policy(p11_kit_config_option(module, "trust-policy"));
  return policy != nullptr && std::string_view(policy.get()) == "yes";
}

}  // namespace

std::string module_file_name(CK_FUNCTION_LIST* module) {
  const OwnedText path(p11_kit_module_get_filename(module));
  return path != nullptr ? std::filesystem::path(path.get()).filename().string() : "?";
}

Error token_error(std::string what, CK_RV rv) {
  return {Code::crypto, fmt::format("{}: {} (CKR {:#x})", what, p11_kit_strerror(rv), rv)};
}

Result<> TokenModules::load_one(const std::string& path) {
  const std::string doing = "loading the PKCS#11 module " + quoted(path);
  CK_FUNCTION_LIST* module = p11_kit_module_load(path.c_str(), 0);
  if (module == nullptr) {
    const char* const reason = p11_kit_message();
    return fail(
        Error(Code::io, reason != nullptr ? reason : "it is no PKCS#11 module").context(doing));
  }
  const CK_RV rv = p11_kit_module_initialize(module);
  if (rv != CKR_OK) {
    p11_kit_module_release(module);
    return fail(token_error("initialising it", rv).context(doing));
  }
  modules_.push_back(module);
  return {};
}

Result<> TokenModules::load_configured(const char* module_name) {
  p11_kit_be_quiet();  // what it would print on standard error is in p11_kit_message()
  configured_ = p11_kit_modules_load_and_initialize(0);
  if (configured_ == nullptr) {
    const char* const reason = p11_kit_message();
    return fail(Code::io, fmt::format("loading the PKCS#11 modules that p11-kit is configured for: "
                                      "{}",
                                      reason != nullptr ? reason : "no reason given"));
  }
  std::string names;
  for (CK_FUNCTION_LIST** module = configured_; *module != nullptr; ++module) {
    if (holds_trust_only(*module)) continue;
    names += (names.empty() ? "" : ", ") + quoted(module_file_name(*module));
    if (module_name == nullptr || is_called(*module, module_name)) modules_.push_back(*module);
  }
  if (!modules_.empty()) return {};
  if (module_name == nullptr) {
    return fail(Code::not_found,
                "p11-kit is configured for no PKCS#11 module; name it by module-path= in the URI");
  }
  return fail(Code::not_found,
              fmt::format("p11-kit is configured for no PKCS#11 module {}; there are: {}; or name "
                          "its file by module-path=",
                          quoted(module_name), names.empty() ? "none" : names));
}

Result<std::shared_ptr<TokenModules>> TokenModules::load(P11KitUri* uri) {
  std::shared_ptr<TokenModules> modules(new TokenModules);
  if (const char* const path = p11_kit_uri_get_module_path(uri)) {
    IMPRINT_TRY(modules->load_one(path));
  } else {
    IMPRINT_TRY(modules->load_configured(p11_kit_uri_get_module_name(uri)));
  }
  return modules;
}

TokenModules::~TokenModules() {
  if (configured_ != nullptr) {
    p11_kit_modules_finalize_and_release(configured_);
    return;
  }
  for (CK_FUNCTION_LIST* const module : modules_) {
    p11_kit_module_finalize(module);
    p11_kit_module_release(module);
  }
}

}  // namespace imprint::authority
