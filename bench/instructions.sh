#!/usr/bin/env bash
# instructions.sh: user-space instructions and heap allocations of the server per request, at 64 connections
# and at one. Two runs of different lengths are counted; their difference contains neither start-up nor
# shut-down. Environment: REQUESTS (the difference), WITH_RAW (the hand-written servers as well), and that of
# common.sh. Results that are in $RESULTS already are not counted again.
source "$(dirname "$0")/common.sh"
REQUESTS=${REQUESTS:-20000}

# Both functions set $counted for SIDE KIND SERVER-ARGUMENTS LOAD-ARGUMENTS CONNECTIONS REQUESTS.
instructions() {
  new_address tcp
  # The load generator's first HTTP request has a connection of its own.
  local sessions=$5
  if [[ $2 == http ]]; then sessions=$(($5 + 1)); fi
  start "$1" env EXIT_AFTER="$sessions" LD_PRELOAD="$BUILD/libexit_after.so" \
    valgrind --tool=callgrind --callgrind-out-file=/dev/null --log-file="$scratch/log" $(command_of "$1" "${2}_server" tcp "$3")
  load $4 --connections "$5" --requests "$6" >/dev/null
  wait "$server"
  server=
  counted=$(awk '/Collected/ {print $NF}' "$scratch/log")
}

allocations() {
  new_address tcp
  start "$1" env LD_PRELOAD="$BUILD/liballocations.so" $(command_of "$1" "${2}_server" tcp "$3") 2>"$scratch/log"
  load $4 --connections "$5" --requests "$6" >/dev/null
  stop
  counted=$(awk -F= '/^allocations=/ {print $2}' "$scratch/log")
}

# Sets $each to the count per request.
per_request() {
  "$@" 1000
  local short=$counted
  "$@" $((1000 + REQUESTS))
  each=$(awk -v count=$((counted - short)) -v requests="$REQUESTS" 'BEGIN {print count / requests}')
}

for workload in "echo||" "echo|--mode coroutines|" "http||--http"; do
  IFS='|' read -r kind arguments of_load <<<"$workload"
  for connections in 64 1; do
    printf '\n%s, %s connection(s)\n%-17s%13s%13s\n' "$kind $arguments" "$connections" side instructions allocations
    name=$kind${arguments:+-${arguments#--mode }}-$connections
    for side in $(sides_of "${kind}_server" tcp "$arguments" $counted_sides ${WITH_RAW:+$raw_sides}); do
      recorded native "instructions-$name" "$side" 0 && continue
      measured=("$side" "$kind" "$arguments" "$of_load" "$connections")
      per_request instructions "${measured[@]}"
      printf '%-17s%13.0f' "$side" "$each"
      record native counts "instructions-$name" "$side" 0 "instructions=$each"
      per_request allocations "${measured[@]}"
      printf '%13.3f\n' "$each"
      record native counts "allocations-$name" "$side" 0 "allocations=$each"
    done
  done
done
