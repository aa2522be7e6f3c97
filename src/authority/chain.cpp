#include "chain.hpp"

#include <algorithm>

namespace imprint::authority {

using crypto::Certificate;

std::vector<Certificate> chain_above(const Certificate& ca,
                                     const std::vector<Certificate>& candidates) {
  std::vector<Certificate> chain;
  Certificate top = ca;
  // A chain longer than its candidates runs in a circle: CAs that have certified each other.
  while (!top.is_self_signed() && chain.size() < candidates.size()) {
    const auto issuer = std::ranges::find_if(candidates, [&](const Certificate& candidate) {
      return crypto::is_issued_by(top, candidate);
    });
    if (issuer == candidates.end()) break;
    chain.push_back(*issuer);
    top = *issuer;
  }
  return chain;
}

}  // namespace imprint::authority
