#!/usr/bin/env bash
# Subscribes to the example publish, and publishes, with nc: check_publish.sh PROGRAM. Needs OpenBSD's nc.
# shellcheck source=checking.sh
source "${BASH_SOURCE%/*}/checking.sh"

# subscribe FD NAME: starts an nc whose input is FD, and whose output goes to $work/NAME.
subscribe() {
  mkfifo "$work/$2.in"
  timeout 100 nc -N "$host" "$port" <"$work/$2.in" >"$work/$2" 2>/dev/null 3>&- 4>&- 5>&- &
  eval "exec $1>\"\$work/\$2.in\""
}
subscribers() { [[ $(grep '^subscribers: ' "$work/output" | tail -n 1) == "subscribers: $1" ]]; }
publish() { timeout 60 nc -N "$host" "$publishers_port" >/dev/null || fail "a publisher ends with $?"; }

# same NAME FILE: whether NAME has received what is in FILE, and nothing else.
same() { cmp -s "$work/$2" "$work/$1"; }
receives() { eventually same "$1" "$2" || fail "$1 has not got what was published"; }

for ending in TERM INT; do
  start 0 0 3
  publishers_port=$(sed -n 's/^publishers on .*://p' "$work/output")

  echo "nobody hears this" | publish
  subscribe 3 ann
  eventually subscribers 1 || fail "no subscriber"
  subscribe 4 bob
  eventually subscribers 2 || fail "no second subscriber"
  printf 'first\nsecond\nthird, without an end' | publish
  printf 'first\nsecond\nthird, without an end\n' >"$work/expected"
  receives ann expected
  receives bob expected
  passed "lines to two subscribers"

  # Several publishers at once: their lines are mixed, but each is whole.
  jobs=()
  for i in {1..8}; do
    for ((n = 0; n < 500; ++n)); do echo "publisher $i says $n"; done >"$work/lines.$i"
    publish <"$work/lines.$i" &
    jobs+=($!)
  done
  for job in "${jobs[@]}"; do wait "$job" || exit 1; done
  all_there() { (($(wc -l <"$work/$1") == 4003)); }
  for who in ann bob; do
    eventually all_there "$who" || fail "$who has $(wc -l <"$work/$who") lines"
    for i in {1..8}; do
      cmp <(grep "^publisher $i " "$work/$who") "$work/lines.$i" || fail "publisher $i's lines to $who differ"
    done
  done
  passed "8 publishers at once"

  exec 4>&-
  eventually subscribers 1 || fail "bob is still a subscriber"
  passed "who ends is no subscriber"

  # sam does not read while 40 MB are published, more than the kernel buffers for him.
  exec 5<>"/dev/tcp/$host/$port"
  eventually subscribers 2 || fail "sam is no subscriber"
  cp "$work/ann" "$work/large"
  printf "%060000d$(printf '\\n')" {1..700} >"$work/lines"
  publish <"$work/lines"
  cat "$work/lines" >>"$work/large"
  receives ann large
  eventually subscribers 1 || fail "sam is still a subscriber"
  exec 5>&-
  passed "a subscriber that does not read does not hold up the others for ever"

  # A line that is too long: that publisher is not served further, the others are.
  head -c 100000 /dev/zero | tr '\0' x | timeout 20 nc -N "$host" "$publishers_port" >/dev/null
  echo "after all" | publish
  echo "after all" >>"$work/large"
  receives ann large
  passed "an endless line is not sent"

  if [[ $ending == TERM ]]; then
    refused 2 usage
    refused 2 usage 0
    refused 2 "'70000' is not a port" 70000 0
    refused 2 "'0' is not a number of seconds" 0 0 0
    refused 1 "in use" "$publishers_port" 0
  fi
  stop "$ending"
  exec 3>&-
  rm -rf "${work:?}"/*
done
passed "all well"
