# shellcheck shell=bash
# What every script here starts with: `. "$(dirname "$0")/common.sh"`.

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# mke2fs, sfdisk and their kin live in sbin, which a plain user's PATH on Debian leaves out.
PATH=$PATH:/usr/sbin:/sbin

say() { printf '==> %s\n' "$*" >&2; }
die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# Prints the comment block at the top of the calling script, which is its manual.
usage() { sed -n '2,/^[^#]/{/^#/s/^# \{0,1\}//p}' "$root/scripts/${0##*/}"; }

# build PRESET [TARGET...]: configures and builds a preset, everything unless targets are named.
build() {
  local preset=$1 launcher=() targets=()
  shift
  ! command -v ccache >/dev/null || launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  (($# == 0)) || targets=(--target "$@")
  say "building preset '$preset'"
  cmake -S "$root" --preset "$preset" "${launcher[@]}" >&2
  (cd "$root" && cmake --build --preset "$preset" --parallel "$(nproc)" "${targets[@]}") >&2
}

# run_tests PRESET [CTEST ARGUMENT...]: makes the images, runs ctest, then says why tests were skipped.
run_tests() {
  local preset=$1 status=0
  shift
  "$root/scripts/make-image" --variant populated >/dev/null
  "$root/scripts/make-image" --variant empty-b >/dev/null
  (cd "$root" && ctest --preset "$preset" --parallel "$(nproc)" "$@") || status=$?
  awk '/^[0-9]+\/[0-9]+ Test: / { name = $3 }
       / Skipped$/ { getline reason; print "skipped: " name ": " reason }
       sub(/^skipped: /, "") { print "skipped: " name ": " $0 }' \
    "$root/build/$preset/Testing/Temporary/LastTest.log"
  return "$status"
}
