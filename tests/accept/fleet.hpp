#pragma once

#include <filesystem>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "accept/device_auth.hpp"
#include "accept/edge.hpp"
#include "cli/batch_fixture.hpp"
#include "support/temp_dir.hpp"

namespace imprint::accept {

/// Who signs the devices' certificates.
enum class Issuer { root, intermediate };

/// For the names of tests.
[[nodiscard]] std::string name_of(Issuer issuer);
void PrintTo(Issuer issuer, std::ostream* out);

/// A maker of devices, and its server: CAs, deviceauth's key, images that `imprint batch` has
/// provisioned, the edge and what is behind it, both running. The working directory while it lives.
class Fleet {
 public:
  struct Wish {
    Issuer issuer = Issuer::root;
    /// Kind of the key that signs tokens. `imprint keygen` makes RSA by default, in a second.
    std::string service_key = "ed25519";
    /// Where devices find the edge: the address of its name, in their /etc/hosts.
    std::string edge_address = "127.0.0.1";
    std::filesystem::path base_image =
        imprint::cli::test::base_image(imprint::cli::test::Variant::populated);
  };

  Fleet() : Fleet(Wish()) {}

  explicit Fleet(const Wish& wish);
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;
  ~Fleet();

  struct DeviceWish {
    std::string id;
    std::string key = "ec:P-256";
    std::string target = "rootfs";  ///< where the configuration goes: rootfs, data, both
    std::string authority = {};     ///< folder of another CA than the fleet's
    std::string reports = "{id}";   ///< the identity that its identity script tells
  };

  /// A provisioned image, made by `imprint batch`. Its device is not known to the server yet.
  std::filesystem::path provision(const DeviceWish& wish);
  /// The server knows all devices of the fleet's ledger from here on.
  void preauthorize() const;
  /// `imprint ca revoke`; the edge learns of it by refresh().
  void revoke(const std::string& id) const;

  /// Folder of the CA that the devices' certificates are from.
  [[nodiscard]] const std::string& authority() const noexcept { return authority_; }

  [[nodiscard]] static std::filesystem::path ledger() { return "out/ledger.db"; }

  [[nodiscard]] Edge& edge() noexcept { return *edge_; }

  [[nodiscard]] const DeviceAuth& server() const noexcept { return *server_; }

 private:
  void make_authorities(Issuer issuer);
  void start_server(const Wish& wish);
  [[nodiscard]] std::string image_for(const std::string& target) const;
  [[nodiscard]] nlohmann::ordered_json manifest(const DeviceWish& wish) const;

  imprint::test::TempDir dir_;
  std::filesystem::path before_;
  std::string authority_;
  std::string edge_address_;
  std::optional<DeviceAuth> server_;
  std::optional<Edge> edge_;
};

/// The program, which has to succeed.
void imprint_does(const std::vector<std::string>& arguments);

/// Of the certificate on an image's data partition: its serial, lower case hexadecimal.
[[nodiscard]] std::string serial_on(const std::filesystem::path& image);

/// Puts another text in the place of a file of the image, by `imprint install`.
void replace_file(const std::filesystem::path& image, const std::string& path,
                  std::string_view text, const std::string& mode = "0600");

/// Takes a top-level setting out of the image's /etc/mender/mender.conf.
void drop_setting(const std::filesystem::path& image, const std::string& name);

}  // namespace imprint::accept

/// Skips the test, visibly, where a fleet's images cannot be made or its server cannot run.
#define IMPRINT_NEED_FLEET()     \
  IMPRINT_NEED_IMAGES();         \
  IMPRINT_NEED_IMAGE_ORACLE();   \
  IMPRINT_NEED_COMMAND("nginx"); \
  IMPRINT_NEED_DEVICE_AUTH()
