#pragma once

#include "imprint/crypto/secret.hpp"

namespace imprint::pipeline {

/// Once, before anything else: crypto::harden_process, and the same for the memory of the databases
/// that hold keys.
crypto::Hardening protect_process();

}  // namespace imprint::pipeline
