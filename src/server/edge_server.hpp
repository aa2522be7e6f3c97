#pragma once

#include "edge_files.hpp"
#include "edge_lists.hpp"
#include "given_pair.hpp"
#include "imprint/pipeline/issue.hpp"

namespace imprint::server {

/// The names that the server's certificate is to have.
struct EdgeNames {
  std::string common_name;
  std::vector<std::string> alt_names;
};

/// A new key and its certificate by the devices' CA, which has to be open; told in the report.
[[nodiscard]] Result<pipeline::ServerIdentity> issue_server(const EdgeRequest& request,
                                                            const EdgeNames& names,
                                                            std::uint32_t days, const DeviceCa& ca,
                                                            EdgeReport& report, const Clock& clock);

/// What the server shows of it.
[[nodiscard]] Result<ServerFiles> files_of(const pipeline::ServerIdentity& identity);

/// The pair that the request names, judged; told in the report. The key of a CA is refused.
[[nodiscard]] Result<GivenPair> take_given(const EdgeRequest& request, const DeviceCa& ca,
                                           EdgeReport& report, const Clock& clock);

}  // namespace imprint::server
