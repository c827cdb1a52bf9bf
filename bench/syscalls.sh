#!/usr/bin/env bash
# syscalls.sh: system calls per request of the server, in all and by name, at 64 connections and at one.
# Two runs of different lengths are counted; their difference is free of start-up and shut-down.
# Environment: REQUESTS (the difference), WITH_RAW (the hand-written servers too), and common.sh's.
source "$(dirname "$0")/common.sh"
REQUESTS=${REQUESTS:-20000}

count() { # CSV of name,calls for so many requests
  local side=$1 kind=$2 arguments=$3 requests=$4
  new_address tcp
  start strace -c -f -U name,calls -o "$scratch/calls" $(command_of "$side" "$kind")
  load $arguments --requests "$requests" >/dev/null
  pkill -TERM -P "$server" # the tracer keeps its own signals
  wait "$server" || true
  server=
  awk 'NF == 2 && $2 ~ /^[0-9]+$/ {print $1 "," $2}' "$scratch/calls"
}

for kind in echo http; do
  for connections in 64 1; do
    echo
    echo "$kind, $connections connection(s): system calls per request"
    for side in $(sides_of "$kind" $asio_sides ${WITH_RAW:+$raw_sides}); do
      arguments="--connections $connections"
      [[ $kind == http ]] && arguments+=" --http"
      count "$side" "$kind" "$arguments" 1000 >"$scratch/short"
      count "$side" "$kind" "$arguments" $((1000 + REQUESTS)) >"$scratch/long"
      awk -F, -v side="$side" -v requests="$REQUESTS" '
        NR == FNR {before[$1] = $2; next}
        {
          each = ($2 - before[$1]) / requests
          if ($1 == "total") total = each
          else if (each >= 0.005) names = names sprintf("  %s %.2f", $1, each)
        }
        END {printf "%-17s%7.2f %s\n", side, total, names}' "$scratch/short" "$scratch/long"
    done
  done
done
