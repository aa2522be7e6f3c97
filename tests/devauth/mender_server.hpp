#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "support/process.hpp"
#include "support/temp_dir.hpp"

namespace imprint::test {

/// A Mender server on a free port of 127.0.0.1 (mender_server.py) whose certificate is for that
/// address; ended when it goes out of scope.
class MenderServer {
 public:
  static constexpr const char* kToken = "eyJhbGciOiJSUzI1NiJ9.eyJ0b3AiOiJzZWNyZXQifQ.c2lnbmF0dXJl";

  enum class Tls { yes, no, for_another_name };

  /// `arguments` as mender_server.py takes them. A server that does not come up is a test failure.
  explicit MenderServer(const std::vector<std::string>& arguments = {}, Tls tls = Tls::yes);

  [[nodiscard]] std::string url() const;
  [[nodiscard]] std::filesystem::path certificate() const;

  /// A request that it has had, in order.
  struct Request {
    std::string method;
    std::string path;
    bool authorized = false;
    std::string body;  ///< JSON
    int client = 0;    ///< port: one connection
    int active = 0;    ///< requests that were under way, this one among them
    double at = 0;
  };

  [[nodiscard]] std::vector<Request> requests() const;
  /// How many of a method.
  [[nodiscard]] std::size_t count(std::string_view method) const;

 private:
  bool start(const std::vector<std::string>& arguments);

  TempDir dir_;
  Tls tls_;
  std::uint16_t port_ = 0;
  std::unique_ptr<Process> process_;
};

/// Public keys (PEM) that openssl has made; the same for a number in one process. P-256.
[[nodiscard]] std::string public_key_of(int number);

/// A line for `--bodies`: identity `{"mac":MAC}` and this key.
[[nodiscard]] std::string body_line(const std::string& mac, int key);

}  // namespace imprint::test

#define IMPRINT_NEED_MENDER_SERVER() \
  IMPRINT_NEED_COMMAND("python3");   \
  IMPRINT_NEED_COMMAND("openssl")
