#!/usr/bin/env bash
# Builds two servers twice from the same source, as stock Boost.Asio and with the one include, drives them with real
# clients and prints what each costs. Measures for about a minute, after building; exit code 0 only if everything worked.
set -euo pipefail
cd "$(dirname "$0")/.."
exec </dev/null

connections=64
message=64
warm_up=1  # second
rounds=5   # the two builds alternate, so that both see the same machine
dear_ns=980 # the cost of a system call where containers filter them or page tables change

build=build/demo
work=$(mktemp -d)
cores=$(taskset -cp $$ | sed 's/.*: //') # the cores that may be used
core=${cores##*[,-]}
server=

finish() {
  local code=$?
  if [[ $server ]]; then { kill -KILL "$server" && wait "$server"; } 2>/dev/null || true; fi
  rm -rf "$work"
  ((code == 0)) || echo "demo: failed" >&2
  exit "$code"
}
trap finish EXIT

fail() {
  echo "demo: $*" >&2
  [[ ! -s $work/said ]] || cat "$work/said" >&2
  exit 1
}

# progress LINE: replaces the one before, on a terminal.
progress() { if [[ -t 1 ]]; then printf '\r\033[K%s' "${1:0:75}"; fi; }

# Server and client share a core and do not preempt each other, so that waking and migrating are not measured.
on_core() { taskset -c "$core" chrt -b 0 "$@"; }

# start COMMAND...: a server on a port of its own; sets server (the process started) and port.
start() {
  local line=
  : >"$work/listening"
  ASIO_URING_REPORT=1 taskset -c "$core" chrt -b 0 "$@" 127.0.0.1 0 >"$work/listening" 2>"$work/said" &
  server=$!
  for _ in {1..200}; do
    line=$(<"$work/listening")
    [[ $line == *:+([0-9]) ]] && break
    sleep 0.05
  done
  port=${line##*:}
  [[ $port ]] || fail "$* does not listen"
}

# stop PID: ends the server and waits for what start() started.
stop() {
  kill -TERM "$1"
  wait "$server" || fail "the server ended with exit code $?"
  server=
}

backend() {
  case $(ls -l "/proc/$1/fd" 2>/dev/null) in # ls fails for connections that end meanwhile
    *'anon_inode:[io_uring]'*) echo io_uring ;;
    *'anon_inode:[eventpoll]'*) echo epoll ;;
    *) echo unknown ;;
  esac
}

# CPU time of all threads so far, in nanoseconds.
cpu_ns() { cat "/proc/$1"/task/*/schedstat | awk '{sum += $1} END {printf "%.0f\n", sum}'; }

# drive PROGRAM PORT PID: load for a second, after $warm_up seconds of it; prints "requests seconds cpu_ns p50_us p99_us".
drive() {
  local before after wrk="wrk -t1 -c$connections -d1s --latency http://127.0.0.1:$2/hello"
  case $1 in
    http_server)
      ((warm_up == 0)) || on_core $wrk >"$work/client" || fail "wrk failed"
      before=$(cpu_ns "$3")
      on_core $wrk >"$work/client" || fail "wrk failed"
      grep -E 'Socket errors|Non-2xx' "$work/client" >&2 && fail "wrk saw errors"
      ;;
    *)
      before=$(cpu_ns "$3")
      on_core "$build/bench/load" --tcp "$2" --connections $connections --size $message --warm-up $warm_up --seconds 1 \
        --server-pid "$3" >"$work/client" || fail "the echo client failed"
      ;;
  esac
  after=$(cpu_ns "$3")
  # wrk: "  12345 requests in 3.00s, ...", "  50%  610.00us"; load: "requests=12345 seconds=3.000 p50_us=600.1 ..."
  awk -v cpu=$((after - before)) '
    function us(text) { return (text ~ /us$/ ? 1 : text ~ /ms$/ ? 1000 : 1000000) * text }
    / requests in / { requests = $1; seconds = $4 + 0 }
    $1 == "50%" { p50 = us($2) }
    $1 == "99%" { p99 = us($2) }
    /requests=/ {
      for (i = 1; i <= NF; ++i) { split($i, pair, "="); value[pair[1]] = pair[2] }
      requests = value["requests"]; seconds = value["seconds"]; p50 = value["p50_us"]; p99 = value["p99_us"]
      cpu = value["cpu_ns_per_request"] * requests
    }
    END { if (requests < 1) exit 1; print requests, seconds, cpu, p50, p99 }' "$work/client" || fail "no request was answered"
}

# measure NAME PROGRAM BUILD [COMMAND...]: one round into $work/NAME_BUILD, one line per round.
measure() {
  start "${@:4}" "$build/example/$2_$3"
  drive "$2" "$port" "$server" >>"$work/$1_$3"
  backend "$server" >"$work/$1_$3.backend"
  sed -n 's/^asio_uring: //p' "$work/said" >"$work/$1_$3.path"
  stop "$server"
}

# count_calls NAME PROGRAM BUILD: system calls per request into $work/NAME_BUILD.calls. Tracing takes time, so
# this is a run of its own, on all cores, and on the path that was measured: traced calls are so expensive
# that another path might be chosen.
count_calls() {
  local pid path core=$cores
  path=$(sed -nE 's/.*; path ([a-z]+) .*/\1/p' "$work/$1_$3.path")
  start env ${path:+ASIO_URING_PATH=$path} strace -f -c -o "$work/strace" "$build/example/$2_$3"
  pid=$(pgrep -P "$server") || fail "no server under strace"
  warm_up=0 drive "$2" "$port" "$pid" >"$work/traced"
  stop "$pid"
  awk 'NR == FNR { requests = $1; next } $NF == "total" { printf "%.2f\n", $4 / requests }' \
    "$work/traced" "$work/strace" >"$work/$1_$3.calls"
  [[ -s $work/$1_$3.calls ]] || fail "strace counted nothing"
}

# How much of the machine others use, in percent, over a second.
others_use() {
  { grep '^cpu ' /proc/stat && sleep 1 && grep '^cpu ' /proc/stat; } | awk '
    { for (i = 2; i <= 9; ++i) all[NR] += $i; idle[NR] = $5 + $6 }
    END { spent = all[2] - all[1]; printf "%d\n", (spent > 0 ? 100 - 100 * (idle[2] - idle[1]) / spent : 0) }'
}

shopt -s extglob
tools/install-dependencies.sh

echo "Building each server twice from the same source; the first time that takes a minute or two ..."
cmake -S . -B $build -DCMAKE_BUILD_TYPE=Release -DASIO_URING_BUILD_TESTS=OFF >"$work/log" 2>&1 ||
  { cat "$work/log" >&2; fail "configuring failed"; }
cmake --build $build --parallel "$(nproc)" --target http_server_epoll http_server_uring \
  echo_coroutines_epoll echo_coroutines_uring bench_load bench_dear_calls 2>&1 | tee "$work/log" |
  while read -r line; do progress "$line"; done || { cat "$work/log" >&2; fail "building failed"; }
progress ''

busy=$(others_use)
if ((busy > 15)); then echo "Warning: other programs use $busy % of this machine: expect figures that spread."; fi
call_ns=$("$build/bench/dear_calls" 1 true 2>&1 | sed -nE 's/.* costs ([0-9]+) ns here.*/\1/p')

# name, program, command that starts it
cases=("HTTP|http_server|" "echo|echo_coroutines|")
if ((${call_ns:=0} < dear_ns)) && "$build/bench/dear_calls" $dear_ns true 2>/dev/null; then
  cases+=("echo, dear calls|echo_coroutines|$build/bench/dear_calls $dear_ns")
fi
for each in "${cases[@]}"; do
  IFS='|' read -r name program wrapper <<<"$each"
  echo "Measuring $name, $rounds rounds ..."
  for ((round = 0; round < rounds; ++round)); do
    progress "round $((round + 1))"
    # shellcheck disable=SC2086 # a command
    for variant in epoll uring; do measure "$name" "$program" $variant $wrapper; done
  done
  progress ''
  for variant in epoll uring; do
    count_calls "$name" "$program" $variant
  done
done

echo
format='%-17s %-9s %11s %17s %20s %8s %8s %13s\n'
# shellcheck disable=SC2059
printf "$format" server backend requests/s 'CPU us/request' 'ratio (from-to)' 'p50 us' 'p99 us' calls/request
for each in "${cases[@]}"; do
  name=${each%%|*}
  for variant in epoll uring; do
    result=$work/${name}_$variant
    awk -f tools/demo_table.awk -v name="$name" -v backend="$(<"$result.backend")" -v calls="$(<"$result.calls")" \
      -v format="$format" "$work/${name}_epoll" "$result"
  done
done
echo
echo "One server thread, $connections connections, server and client on one core; HTTP: GET /hello from wrk; echo: $message bytes."
echo "Medians of $rounds rounds of a second; a ratio is that of the CPU times of one round, io_uring to epoll."
echo "A system call costs $call_ns ns here${cases[2]:+; dear calls cost $dear_ns ns, as where a container filters them}."
for each in "${cases[@]}"; do echo "${each%%|*}, at its start: $(<"$work/${each%%|*}_uring.path")"; done
echo
for each in "${cases[@]}"; do
  name=${each%%|*}
  awk -f tools/demo_table.awk -v gain=1 -v name="$name" "$work/${name}_epoll" "$work/${name}_uring"
done | paste -sd';' | sed 's/;/; /g; s/^/In short, processor time per request on io_uring, compared with stock Boost.Asio: /; s/$/./'

for each in "${cases[@]}"; do
  name=${each%%|*}
  [[ $(<"$work/${name}_epoll.backend") == epoll ]] || fail "$name: the stock server is not on epoll"
  [[ $(<"$work/${name}_uring.backend") == io_uring ]] || fail "$name: the server built for io_uring is not on it"
done
