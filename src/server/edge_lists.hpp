#pragma once

#include <optional>
#include <string>
#include <vector>

#include "imprint/authority/authority.hpp"
#include "imprint/crypto/certificate.hpp"
#include "imprint/server/edge.hpp"

namespace imprint::server {

/// The devices' CA, and those above it.
struct DeviceCa {
  std::optional<authority::Authority> opened;
  std::vector<crypto::Certificate> certificates;

  [[nodiscard]] std::string pem() const;
};

/// Opens it, or reads its certificates alone when it is not to sign.
[[nodiscard]] Result<DeviceCa> open_ca(const EdgeAuthority& devices, TimePoint now,
                                       std::vector<std::string>& warnings);

/// Whether there is one; Code::not_found for one that was named and is not there.
[[nodiscard]] Result<bool> has_ledger(const EdgeAuthority& devices);

/// The lists of revoked certificates.
struct Lists {
  std::string blacklist;
  std::string crl;  ///< empty: none
};

[[nodiscard]] Result<Lists> make_lists(const EdgeAuthority& devices, const DeviceCa& ca,
                                       EdgeReport& report, const Clock& clock);

/// Before anything is replaced: the list that is there may be from another ledger.
[[nodiscard]] Result<> keep_revocations(const fs::path& directory, const EdgeAuthority& devices,
                                        const DeviceCa& ca, const Clock& clock);

/// Adds those that are not there yet: those of the CA come by several ways.
void add_new(const std::vector<std::string>& more, std::vector<std::string>& warnings);

}  // namespace imprint::server
