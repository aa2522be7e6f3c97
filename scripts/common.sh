# shellcheck shell=bash
# What every script here starts with: `. "$(dirname "$0")/common.sh"`.

set -euo pipefail

# shellcheck disable=SC2034  # for the scripts that read this file
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# mke2fs, sfdisk and their kin live in sbin, which a plain user's PATH on Debian leaves out.
PATH=$PATH:/usr/sbin:/sbin

say() { printf '==> %s\n' "$*" >&2; }
die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# Prints the comment block at the top of the calling script, which is its manual.
usage() { sed -n '2,/^[^#]/{/^#/s/^# \{0,1\}//p}' "$0"; }
