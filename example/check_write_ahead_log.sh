#!/usr/bin/env bash
# Kills the example write_ahead_log at random moments: check_write_ahead_log.sh PROGRAM [ROUNDS]. Exit code 0
# only if no record that it had printed is missing, twice there or damaged.
set -eu
program=$1
rounds=${2:-20}
work=$(mktemp -d /var/tmp/write_ahead_log.XXXXXX)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() { echo "write_ahead_log: FAILED: $*" >&2 && exit 1; }

: >printed
for ((round = 1; round <= rounds; ++round)); do
  "$program" log 16 >>printed &
  server=$!
  sleep "0.$(printf '%03d' $((20 + RANDOM % 150)))"
  kill -9 $server
  wait $server 2>/dev/null || true
  # Appends a record that was only half written.
  ((RANDOM % 2)) && head -c $((RANDOM % 40)) /dev/urandom >>log
  "$program" --read log >found || fail "round $round: cannot be read"
  sort found | uniq -d >twice
  [[ ! -s twice ]] || fail "round $round: there twice: $(head -1 twice)"
  grep -qvE '^[0-9]+\.[0-9]+\.[0-9]+$' found && fail "round $round: not a record"
  sort printed | comm -23 - <(sort found) >missing
  [[ ! -s missing ]] || fail "round $round: $(wc -l <missing) records are missing, $(head -1 missing) among them"
done
count=$(wc -l <printed)
((count > rounds)) || fail "only $count records in $rounds rounds"
echo "$rounds rounds, $count records were printed and found"

# The file must not grow: all records that were printed are there.
(
  trap '' XFSZ
  ulimit -f 16
  exec "$program" limited 16
) >printed 2>message && fail "a full file is no error"
grep -qE 'Input/output error|File too large' message || fail "a full file is not named: $(cat message)"
"$program" --read limited | sort >found
[[ -s printed && -z $(sort printed | comm -23 - found) ]] || fail "records are missing in a full file"
! "$program" "$work/absent/log" 2>message || fail "a missing directory"
grep -q 'No such file' message || fail "a missing directory is not named"
