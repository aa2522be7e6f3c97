# shellcheck shell=bash
# The few words the script tests share: `. "$(dirname "$0")/support.sh"`.

set -euo pipefail

# shellcheck disable=SC2034  # for the tests that read this file
scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../scripts" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail() {
  printf 'FAILED: %s\n' "$*" >&2
  exit 1
}
skip() {
  printf 'skipped: %s\n' "$*"
  exit 77
}
equal() { # WHAT ACTUAL EXPECTED
  [[ $2 == "$3" ]] || fail "$1"$'\n'"is:     $2"$'\n'"wanted: $3"
}
