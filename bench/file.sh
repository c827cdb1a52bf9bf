#!/usr/bin/env bash
# file.sh [workload…]: 4 KiB random reads of one file, every side as ratios to plain liburing.
#
# The sides take turns within each round, in a rotated order; a ratio compares runs of one round only, and the
# table shows the median over the rounds. All cores may be used: the thread pools need more than one.
# Environment: ROUNDS, SECONDS_PER_RUN, FILE (made if it is not there), MIB, and common.sh's.
source "$(dirname "$0")/common.sh"
ROUNDS=${ROUNDS:-9}
SECONDS_PER_RUN=${SECONDS_PER_RUN:-1}
FILE=${FILE:-/var/tmp/asio_uring_bench_file}
[[ -f $FILE ]] || "$BUILD/file_read" --file "$FILE" --make "${MIB:-256}"

declare -A workloads=(
  [cached-1]="--depth 1"
  [cached-32]="--depth 32"
  [direct-1]="--depth 1 --direct"
  [direct-32]="--depth 32 --direct"
  [registered-32]="--depth 32 --registered"
  [direct-registered-32]="--depth 32 --direct --registered"
)
declare -A reads=(
  [liburing]="file_read --via liburing"
  [ours]="file_read_uring --via asio"
  [ours-guest]="env ASIO_URING_PUMP=guest file_read_uring --via asio"
  [asio-uring]="file_read_asio_uring_backend --via asio"
  [pool-2]="file_read --via pool --threads 2"
  [pool-4]="file_read --via pool --threads 4"
  [pool-16]="file_read --via pool --threads 16"
)
sides=(${SIDES:-liburing ours asio-uring pool-2 pool-4 pool-16})
PATH=$BUILD:$PATH

for workload in ${*:-cached-1 cached-32 direct-1 direct-32 registered-32 direct-registered-32}; do
  [[ -v workloads[$workload] ]] || { echo "no such workload: $workload; there are: ${!workloads[*]}" >&2 && exit 2; }
  csv=$BUILD/file-$workload.csv
  echo "workload,round,side,requests,seconds,cpu_ns_per_request" >"$csv"
  [[ $workload == direct-* ]] || cat "$FILE" >/dev/null
  for ((round = 0; round < ROUNDS; ++round)); do
    for ((position = 0; position < ${#sides[@]}; ++position)); do
      side=${sides[(position + round) % ${#sides[@]}]}
      if result=$(${reads[$side]} --file "$FILE" --seconds "$SECONDS_PER_RUN" ${workloads[$workload]}); then
        echo "file-$workload,$round,$side,$(sed 's/[a-z0-9_]*=//g; s/ /,/g' <<<"$result")" >>"$csv"
      else
        echo "$workload: $side failed in round $round" >&2
      fi
    done
  done
  python3 "$bench/table.py" "$csv" liburing
done
