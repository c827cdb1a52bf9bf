#!/usr/bin/env bash
# run.sh [workload…]: server CPU time per request and throughput of every side, as ratios to stock Asio on epoll.
# The workload "file" is file.sh; "idle" is idle.cpp, what idle sockets cost; "storm" is storm.cpp, when each of a thousand
# connections that are opened at once is answered.
#
# Server and load generator share one core under SCHED_BATCH, so that neither waking nor migrating is measured.
# The sides take turns within each round, in a rotated order; a ratio compares runs of one round only, and the
# table shows the median over the rounds. Each run is a fresh process: the luck of its memory layout averages out.
# Environment: ROUNDS, SECONDS_PER_RUN, and common.sh's.
source "$(dirname "$0")/common.sh"
ROUNDS=${ROUNDS:-9}
SECONDS_PER_RUN=${SECONDS_PER_RUN:-1}

# name: server kind, socket, its further arguments, the load's arguments
declare -A workloads=(
  [tcp-echo-1]="echo|tcp||--connections 1"
  [tcp-echo-64]="echo|tcp||--connections 64"
  [tcp-echo-1000]="echo|tcp||--connections 1000"
  [tcp-echo-64-depth-16]="echo|tcp||--connections 64 --depth 16"
  [tcp-echo-64-4k]="echo|tcp||--connections 64 --size 4096"
  [tcp-coroutines-1]="echo|tcp|--mode coroutines|--connections 1"
  [tcp-coroutines-64]="echo|tcp|--mode coroutines|--connections 64"
  [tcp-coroutines-1000]="echo|tcp|--mode coroutines|--connections 1000"
  [unix-echo-1]="echo|unix||--connections 1"
  [unix-echo-64]="echo|unix||--connections 64"
  [tcp-accept-close-64]="echo|tcp|--once|--connections 64 --once"
  [udp-echo-64]="echo|udp||--connections 64"
  [http-1]="http|tcp||--connections 1 --http"
  [http-64]="http|tcp||--connections 64 --http"
)
order="tcp-echo-1 tcp-echo-64 tcp-echo-1000 tcp-echo-64-depth-16 tcp-echo-64-4k tcp-coroutines-1
  tcp-coroutines-64 tcp-coroutines-1000 unix-echo-1 unix-echo-64 tcp-accept-close-64 udp-echo-64 http-1
  http-64"

run_workload() {
  local workload=$1 kind socket arguments of_load round position side result csv=$BUILD/$1.csv
  [[ -v workloads[$workload] ]] || { echo "no such workload: $workload; there are: $order" >&2 && exit 2; }
  IFS='|' read -r kind socket arguments of_load <<<"${workloads[$workload]}"
  local -a sides
  # The hand-written servers have no modes to choose from.
  read -ra sides <<<"$(sides_of "$kind" epoll asio-uring $([[ $arguments || $socket == udp ]] || echo "$raw_sides") \
    ours ours-completion ours-readiness)"

  echo "workload,round,side,requests,seconds,p50_us,p99_us,cpu_ns_per_request" >"$csv"
  for ((round = 0; round < ROUNDS; ++round)); do
    for ((position = 0; position < ${#sides[@]}; ++position)); do
      side=${sides[(position + round) % ${#sides[@]}]}
      new_address "$socket"
      start "$side" $(command_of "$side" "$kind") $arguments
      if result=$(load $of_load --seconds "$SECONDS_PER_RUN" --server-pid "$server"); then
        echo "$workload,$round,$side,$(sed 's/[a-z0-9_]*=//g; s/ /,/g' <<<"$result")" >>"$csv"
      else
        echo "$workload: $side failed in round $round" >&2
      fi
      stop
    done
  done
  python3 "$bench/table.py" "$csv"
}

run_idle() {
  echo "$1"
  env $(environment_of "$1") taskset -c "$CORE" "$BUILD/idle$([[ $1 == epoll ]] || echo _uring)"
}

run_storm() {
  local side round
  for ((round = 0; round < ROUNDS; ++round)); do
    for side in $(sides_of echo epoll asio-uring $raw_sides ours ours-completion ours-readiness); do
      new_address tcp
      start "$side" $(command_of "$side" echo)
      echo "$side $(taskset -c $(((CORE + 1) % $(nproc))) "$BUILD/storm" $address)"
      stop
    done
  done
}

for workload in ${*:-$order}; do
  case $workload in
    storm) run_storm ;;
    file) "$bench/file.sh" ;;
    idle) for side in ${SIDES:-epoll ours ours-completion ours-guest}; do run_idle "$side"; done ;;
    *) run_workload "$workload" ;;
  esac
done
