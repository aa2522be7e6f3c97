#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "support/process.hpp"

namespace imprint::accept {

/// The mutual-TLS edge: the bundle that `imprint edge` makes, in the folder `edge` of the working
/// directory, and nginx started by the bundle's own script, on a free port of 127.0.0.1. Ended when
/// it goes out of scope.
class Edge {
 public:
  struct Wish {
    std::string authority;                  ///< folder of the CA that the devices are from
    std::uint16_t backend_port = 0;         ///< who is behind the edge, on 127.0.0.1
    std::string host = "mtls.example.com";  ///< the name in its certificate
    std::string address = {};               ///< an IP address that is in it as well
  };

  /// An edge that does not come up is a test failure that shows why.
  explicit Edge(const Wish& wish);
  Edge(const Edge&) = delete;
  Edge& operator=(const Edge&) = delete;
  ~Edge();

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

  /// Where devices find it, by its name.
  [[nodiscard]] std::string url() const;

  /// `imprint edge --refresh` by this ledger, and nginx takes up the new lists: from here on nobody
  /// is judged by the old ones.
  void refresh(const std::filesystem::path& ledger);

  /// nginx takes up what is in the folder.
  void reload();

  /// What nginx has written: whom it has refused, and why.
  [[nodiscard]] std::string log() const;

 private:
  void make_bundle(const Wish& wish);
  bool start();
  void stop();

  std::string authority_;
  std::string host_;
  std::filesystem::path folder_;
  std::uint16_t port_ = 0;
  std::unique_ptr<imprint::test::Process> process_;
};

}  // namespace imprint::accept
