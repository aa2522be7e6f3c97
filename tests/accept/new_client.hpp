#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace imprint::accept {

/// What came of an authorization request.
struct Authorization {
  int status = 0;          ///< of HTTP; 0: there was no answer
  std::string said;        ///< by the server or the TLS library
  std::string token;       ///< empty when refused
  int work = 0;            ///< status of a request made with the token
  bool generated = false;  ///< the client had to make a key of its own
};

/// Authorizes as Mender clients from 4.0 on do, with the files of the image (new_client.py, which
/// says what `more` can be). A client that cannot begin is a test failure.
[[nodiscard]] Authorization authorize_as_new_client(const std::filesystem::path& image,
                                                    const std::vector<std::string>& more = {});

}  // namespace imprint::accept
