// A PKCS#11 module that is SoftHSM but for the faults that a test asks for by environment
// variables: what a token does when it locks, wants its own PIN pad, runs out of sessions or signs
// nonsense cannot be had from SoftHSM itself.
//
//   FAULTY_TOKEN_LOG        file that gets a line for each C_Login: user type and PIN length, or
//   'pad' FAULTY_TOKEN_FLAGS      bits added to the token's flags FAULTY_TOKEN_SESSIONS   so many
//   sessions can be open FAULTY_TOKEN_SIGN       CKR with which C_Sign fails, or 'zero', 'order',
//   'short': what it gives

#include <array>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fstream>
#include <p11-kit/pkcs11.h>
#include <string>

// NOLINTBEGIN(concurrency-mt-unsafe): the tests set them before they start threads
namespace {

CK_FUNCTION_LIST real;
CK_FUNCTION_LIST faulty;
int open_sessions = 0;

std::string setting(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

CK_RV get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO* info) {
  const CK_RV rv = real.C_GetTokenInfo(slot, info);
  const std::string flags = setting("FAULTY_TOKEN_FLAGS");
  if (rv == CKR_OK && !flags.empty()) info->flags |= std::stoul(flags, nullptr, 0);
  return rv;
}

CK_RV login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR* pin, CK_ULONG size) {
  std::ofstream(setting("FAULTY_TOKEN_LOG"), std::ios::app)
      << user << ' ' << (pin == nullptr ? "pad" : std::to_string(size)) << '\n';
  std::array<CK_UTF8CHAR, 4> typed = {'1', '2', '3', '4'};
  if (pin == nullptr) return real.C_Login(session, user, typed.data(), typed.size());
  return real.C_Login(session, user, pin, size);
}

CK_RV open_session(CK_SLOT_ID slot, CK_FLAGS flags, void* data, CK_NOTIFY notify,
                   CK_SESSION_HANDLE* session) {
  const std::string limit = setting("FAULTY_TOKEN_SESSIONS");
  if (!limit.empty() && open_sessions >= std::stoi(limit)) return CKR_SESSION_COUNT;
  const CK_RV rv = real.C_OpenSession(slot, flags, data, notify, session);
  if (rv == CKR_OK) ++open_sessions;
  return rv;
}

CK_RV close_session(CK_SESSION_HANDLE session) {
  --open_sessions;
  return real.C_CloseSession(session);
}

CK_RV sign(CK_SESSION_HANDLE session, CK_BYTE* data, CK_ULONG size, CK_BYTE* signature,
           CK_ULONG* signature_size) {
  const std::string fault = setting("FAULTY_TOKEN_SIGN");
  const CK_RV rv = real.C_Sign(session, data, size, signature, signature_size);
  if (rv != CKR_OK || fault.empty()) return rv;
  if (fault == "zero") {
    std::memset(signature, 0, *signature_size / 2);
  } else if (fault == "order") {
    std::memset(signature, 0xff, *signature_size / 2);
  } else if (fault == "short") {
    *signature_size -= 2;
  } else {
    return std::stoul(fault, nullptr, 0);
  }
  return rv;
}

}  // namespace

// NOLINTEND(concurrency-mt-unsafe)

extern "C" CK_RV C_GetFunctionList(CK_FUNCTION_LIST** list) {
  void* const module = ::dlopen("/usr/lib/softhsm/libsofthsm2.so", RTLD_NOW | RTLD_LOCAL);
  if (module == nullptr) return CKR_GENERAL_ERROR;
  const auto get = reinterpret_cast<CK_C_GetFunctionList>(::dlsym(module, "C_GetFunctionList"));
  CK_FUNCTION_LIST* original = nullptr;
  if (get == nullptr || get(&original) != CKR_OK) return CKR_GENERAL_ERROR;
  real = *original;
  faulty = real;
  faulty.C_GetFunctionList = C_GetFunctionList;
  faulty.C_GetTokenInfo = get_token_info;
  faulty.C_Login = login;
  faulty.C_OpenSession = open_session;
  faulty.C_CloseSession = close_session;
  faulty.C_Sign = sign;
  open_sessions = 0;
  *list = &faulty;
  return CKR_OK;
}
