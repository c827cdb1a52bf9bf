#!/usr/bin/env bash
# write_ahead_log.sh [WRITERS…]: durable appends per second, every side as ratios to a thread for each record.
#
# The sides take turns within each round, in a rotated order; a ratio compares runs of one round only, and the
# table shows the median over the rounds. Environment: ROUNDS, SECONDS_PER_RUN, FILE, and common.sh's.
source "$(dirname "$0")/common.sh"
ROUNDS=${ROUNDS:-9}
SECONDS_PER_RUN=${SECONDS_PER_RUN:-2}
FILE=${FILE:-/var/tmp/asio_uring_bench_log}
sides=(${SIDES:-pool pool-group chain})

for writers in ${*:-16}; do
  csv=$BUILD/write_ahead_log-$writers.csv
  echo "workload,round,side,requests,seconds,cpu_ns_per_request" >"$csv"
  for ((round = 0; round < ROUNDS; ++round)); do
    for ((position = 0; position < ${#sides[@]}; ++position)); do
      side=${sides[(position + round) % ${#sides[@]}]}
      if result=$("$BUILD/write_ahead_log" --file "$FILE" --via "$side" --writers "$writers" --seconds "$SECONDS_PER_RUN"); then
        echo "write_ahead_log-$writers,$round,$side,$(sed 's/[a-z0-9_]*=//g; s/ /,/g' <<<"$result")" >>"$csv"
      else
        echo "$writers writers: $side failed in round $round" >&2
      fi
    done
  done
  python3 "$bench/table.py" "$csv" pool
done
