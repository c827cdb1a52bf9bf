#!/usr/bin/env bash
# run.sh [WORKLOAD…]: server CPU time per request, throughput and latency of every side, as ratios to stock Asio on epoll.
# run.sh all [WORKLOAD…]: everything, natively and where system calls are dear, into results/MACHINE/: every run as a line of
#   JSON, the tables, the plots. Takes hours; what has been measured is not measured again, so it can be interrupted.
#
# WORKLOAD is a name in workloads.sh, or a question there: tcp, messages, file, … "idle" is idle.cpp and
# idle_memory.cpp, the cost of idle sockets. Server and load generator share one core under SCHED_BATCH, so that
# neither waking nor migrating is measured. If each has a core, they run under SCHED_FIFO; if all cores are used, as
# usual. A ratio compares runs of one round only, and the tables show the median over the rounds. Each run is a fresh
# process, so that the luck of its memory layout averages out.
# Environment: ROUNDS, SECONDS_PER_RUN, WARM_UP, SETTINGS (native, dear), DEAR (nanoseconds that a call costs
# then), MACHINE (its name, such as cheap or dear), OUTPUT (results/MACHINE/), and that of common.sh.
source "$(dirname "$0")/common.sh"
source "$bench/workloads.sh"
DEAR=${DEAR:-980}
OUTPUT=${OUTPUT:-$bench/results/${MACHINE:-$(uname -n)}}
export ROUNDS SECONDS_PER_RUN WARM_UP FILE LOG

# Sets $chosen to the workloads to run.
choose() {
  local wanted name found
  chosen=()
  for wanted; do
    found=
    for name in "${workloads[@]}"; do
      if [[ $wanted == "$name" || $wanted == "${question[$name]}" ]]; then chosen+=("$name") found=yes; fi
    done
    [[ $found ]] || { echo "no such workload: $wanted; there are: ${workloads[*]} idle" >&2 && exit 2; }
  done
}

# Prepares what must exist before anything is measured.
prepare() {
  local name limit
  limit=$(ulimit -n)
  for name in "${chosen[@]}"; do
    if [[ ${driver[$name]} == *"--connections 10000"* ]] && ((limit < 10100)); then
      echo "run.sh: $name wants 10100 descriptors in a process, and the limit is $limit: raise it (ulimit -n, as root)," \
        "or name other workloads" >&2
      exit 2
    fi
    [[ ${program[$name]} != file_read || -f $FILE ]] || "$BUILD/file_read" --file "$FILE" --make "${MIB:-256}"
  done
}

# planned SETTING…: the beginning of each run's line.
planned() {
  local name side round setting
  for name in "${chosen[@]}"; do
    for side in $(sides_of "${program[$name]}" "${socket[$name]}" "${arguments[$name]}" ${candidates[$name]}); do
      for ((round = 0; round < ROUNDS; ++round)); do
        for setting; do key "$setting" "$name" "$side" "$round"; done
      done
    done
  done
}

# measure SETTING…: all rounds of all chosen workloads.
measure() {
  local round setting all failed=0
  planned "$@" | sort >"$scratch/planned"
  all=$(wc -l <"$scratch/planned")
  TOTAL=$(grep -oE '^[^}]*"round":[0-9]+,' "$RESULTS" | sort | comm -23 "$scratch/planned" - | wc -l)
  BEGUN="$(date +%s) $(wc -l <"$RESULTS")"
  export RESULTS TOTAL BEGUN
  ((all > 0)) || { echo "run.sh: none of these sides is there: ${SIDES:-}" >&2 && exit 2; }
  awk -v all="$all" -v runs="$TOTAL" -v each="$SECONDS_PER_RUN" -v warm_up="$WARM_UP" 'BEGIN {
    printf "%d runs", all
    if (runs < all) printf ", of which %d are in the results already", all - runs
    printf "; some %d minutes\n", runs * (each + warm_up + 0.2) / 60 + 1
  }' >&2
  for ((round = 0; round < ROUNDS; ++round)); do
    for setting; do
      case $setting in
        native) "$bench/round.sh" native $round "${chosen[@]}" || failed=1 ;;
        dear) "$BUILD/dear_calls" "$DEAR" "$bench/round.sh" dear $round "${chosen[@]}" 2> >(grep -v '^dear_calls: a system call costs' >&2) || failed=1 ;;
        *) echo "no such setting: $setting" >&2 && exit 2 ;;
      esac
    done
  done
  if [[ -t 2 ]]; then printf '\r\033[K' >&2; fi
  return $failed
}

run_all() {
  local failed=0
  command -v gnuplot >/dev/null || "$bench/../tools/install-dependencies.sh" gnuplot-nox || true
  mkdir -p "$OUTPUT"
  awk '$1 > 0.5 { print "The machine is busy (load average " $1 "): figures will spread." }' /proc/loadavg >&2
  RESULTS=$OUTPUT/runs.jsonl
  [[ -s $RESULTS ]] || python3 "$bench/machine.py" "$BUILD/dear_calls" "$DEAR" >"$RESULTS"
  measure ${SETTINGS:-native dear} || failed=1
  if [[ ! $chosen_by_name ]]; then
    "$bench/syscalls.sh" >&2 || failed=1
    if command -v valgrind >/dev/null; then
      "$bench/instructions.sh" >&2 || failed=1
    else
      echo "valgrind is missing: instructions and allocations are not counted" >&2
    fi
  fi
  python3 "$bench/table.py" "$RESULTS" >"$OUTPUT/tables.md"
  if command -v gnuplot >/dev/null; then
    python3 "$bench/plot.py" "$RESULTS" "$OUTPUT"
  else
    echo "gnuplot is missing: no plots" >&2
  fi
  echo "results: $OUTPUT" >&2
  return $failed
}

if [[ ${1:-} == all ]]; then
  shift
  chosen_by_name=$*
  if (($#)); then choose "$@"; else chosen=("${workloads[@]}"); fi
  prepare
  run_all
  exit
fi

# By default, the workloads that need one core only.
if (($# == 0)); then
  for name in "${workloads[@]}"; do
    if [[ ${cores[$name]} == shared ]]; then set -- "$@" "$name"; fi
  done
fi
failed=0
for wanted; do
  if [[ $wanted == idle ]]; then
    for side in ${SIDES:-epoll ours ours-completion ours-guest}; do
      echo "$side"
      for program in idle idle_memory; do
        env $(environment_of "$side") taskset -c "$CORE" "$BUILD/$program$([[ $side == epoll ]] || echo _uring)"
      done
    done
    continue
  fi
  choose "$wanted"
  prepare
  RESULTS=$BUILD/$wanted.jsonl
  : >"$RESULTS"
  measure ${SETTINGS:-native} || failed=1
  python3 "$bench/table.py" --text "$RESULTS"
done
exit $failed
