#include "imprint/pipeline/protect.hpp"

#include "imprint/golden/store.hpp"

namespace imprint::pipeline {

crypto::Hardening protect_process() {
  golden::wipe_database_memory();
  return crypto::harden_process();
}

}  // namespace imprint::pipeline
