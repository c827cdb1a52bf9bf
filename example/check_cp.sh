#!/usr/bin/env bash
# Copies files of all kinds with the example cp: check_cp.sh PROGRAM. Exit code 0 only if all checks pass.
set -eu
program=$1
scripts=$(dirname "$(realpath "$0")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() { echo "cp: FAILED: $*" >&2 && exit 1; }
# shellcheck source=check_progress.sh
source "$scripts/check_progress.sh"

for size in 0 1 4096 262143 262144 262145 3000001 20000000; do
  head -c "$size" /dev/urandom >from
  printf 'old contents that are longer than some' >to
  "$program" from to || fail "$size bytes"
  cmp from to || fail "$size bytes differ"
done

chmod 0640 from
"$program" from fresh
[[ $(stat -c %a fresh) == 640 ]] || fail "mode"
"$program" from /dev/null || fail "to a device"

! "$program" from from 2>/dev/null || fail "a file onto itself"
cmp from to || fail "a file onto itself has lost data"
! "$program" missing to 2>/dev/null || fail "a missing source"
! "$program" from /dev/full 2>/dev/null || fail "a full device"

# The source grows, then shrinks while it is copied: the copy must be the beginning of the source.
for change in 'head -c 300000 /dev/urandom >>from' 'truncate -s 1000000 from'; do
  for _ in {1..10}; do
    head -c 30000000 /dev/urandom >from
    cp from before
    "$program" from to &
    for _ in {1..5}; do eval "$change"; done
    wait $! || fail "while: $change"
    size=$(stat -c %s to)
    ((size >= 1000000)) || fail "lost its beginning while: $change"
    cmp -n 1000000 before to || fail "differs while: $change"
    [[ $change != *'>>'* ]] || cmp -n "$size" from to || fail "has holes after: $change"
  done
done

shows_progress sparse "$program" sparse /dev/null
refuses_option "$program" --loud "unknown option '--loud'" from to
refuses_option "$program" --progress 'wrong number of arguments' from
