#!/usr/bin/env bash
# syscalls.sh: system calls of the server per request, in total and by name, at 64 connections and at one. Two
# runs of different lengths are counted; their difference contains neither start-up nor shut-down. Tracing
# slows down the server: a peer that has answered meanwhile saves it a wait that it would usually make, so a
# server that looks at its completion queue before it waits is undercounted at one connection. Environment:
# REQUESTS (the difference), WITH_RAW (the hand-written servers as well), and that of common.sh. Results that
# are in $RESULTS already are not counted again.
source "$(dirname "$0")/common.sh"
REQUESTS=${REQUESTS:-20000}

count() { # prints name,calls as CSV for that many requests
  local side=$1 kind=$2 arguments=$3 requests=$4
  new_address tcp
  start "$side" strace -c -f -U name,calls -o "$scratch/calls" $(command_of "$side" "${kind}_server")
  load $arguments --requests "$requests" >/dev/null
  kill $(pgrep -P "$server") # the tracer would keep the signal for itself
  wait "$server" || true
  server=
  awk 'NF == 2 && $2 ~ /^[0-9]+$/ {print $1 "," $2}' "$scratch/calls"
}

for kind in echo http; do
  for connections in 64 1; do
    echo
    echo "$kind, $connections connection(s): system calls per request"
    for side in $(sides_of "${kind}_server" tcp "" $counted_sides ${WITH_RAW:+$raw_sides}); do
      recorded native "system-calls-$kind-$connections" "$side" 0 && continue
      arguments="--connections $connections"
      [[ $kind == http ]] && arguments+=" --http"
      count "$side" "$kind" "$arguments" 1000 >"$scratch/short"
      count "$side" "$kind" "$arguments" $((1000 + REQUESTS)) >"$scratch/long"
      line=$(awk -F, -v side="$side" -v requests="$REQUESTS" '
        NR == FNR {before[$1] = $2; next}
        {
          each = ($2 - before[$1]) / requests
          if ($1 == "total") total = each
          else if (each >= 0.005) names = names sprintf("  %s %.2f", $1, each)
        }
        END {printf "%-17s%7.2f %s\n", side, total, names}' "$scratch/short" "$scratch/long")
      echo "$line"
      record native counts "system-calls-$kind-$connections" "$side" 0 "calls=$(awk '{print $2}' <<<"$line")"
    done
  done
done
