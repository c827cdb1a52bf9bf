#!/usr/bin/env bash
# Installs what building, testing and the demonstration need, and the packages named, on Debian and Ubuntu.
# Does nothing if all is installed; without root it prints the command and fails.
set -euo pipefail
extra=("$@")

command -v apt-get >/dev/null || {
  echo "install-dependencies: no apt-get here; see README.md for what is needed" >&2
  exit 0
}

installed() { [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }
known() { [[ $(apt-cache policy "$1" 2>/dev/null) == *Candidate:\ [0-9]* ]]; }

# Keeps an installed Boost, if it is 1.81 or newer. Debian 12 has 1.81 beside its default 1.74; newer releases
# have a newer default.
boost_packages() {
  local part version
  version=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' 'libboost1.*-dev' 2>/dev/null |
    sed -nE 's/^installed libboost1\.([0-9]+)-dev$/\1/p' | sort -n | tail -n 1) || true
  if ((${version:-0} >= 81)); then
    version=1.$version
  else
    version=
    if known libboost1.81-dev; then version=1.81; fi
  fi
  for part in '' -context -coroutine -program-options -test; do echo "libboost$part$version-dev"; done
}

missing_packages() {
  local package
  for package in g++ make cmake pkg-config liburing-dev libssl-dev $(boost_packages) \
    wrk bsdutils curl netcat-openbsd openssl patch python3 python3-websockets redis-tools strace procps "${extra[@]}"; do
    installed "$package" || printf '%s ' "$package"
  done
}

missing=$(missing_packages)
[[ $missing ]] || exit 0

if ((EUID != 0)); then
  {
    echo "Packages are missing. As root, run:"
    echo "  apt-get update && apt-get install -y --no-install-recommends --no-remove ${missing% }"
  } >&2
  exit 1
fi

export DEBIAN_FRONTEND=noninteractive
apt-get update -q >&2
missing=$(missing_packages) # with the new lists, this may name another Boost
# shellcheck disable=SC2086 # a list of words
apt-get install -q -y --no-install-recommends --no-remove $missing >&2
