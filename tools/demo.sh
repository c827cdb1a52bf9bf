#!/usr/bin/env bash
# Builds two servers twice from the same source, as stock Boost.Asio and with the one include, drives them with real
# clients and prints what each costs. Needs about two minutes; exit code 0 only if everything worked.
set -euo pipefail
cd "$(dirname "$0")/.."
exec </dev/null

connections=64
message=64
seconds=3
rounds=3 # the two builds alternate, so that both see the same machine

build=build/demo
work=$(mktemp -d)
server=

finish() {
  local code=$?
  [[ $server ]] && kill -KILL "$server" 2>/dev/null
  rm -rf "$work"
  ((code == 0)) || echo "demo: failed" >&2
  exit "$code"
}
trap finish EXIT

fail() {
  echo "demo: $*" >&2
  exit 1
}

# start COMMAND...: a server on a port of its own; sets server (the process started) and port.
start() {
  local line=
  : >"$work/listening"
  "$@" 127.0.0.1 0 >"$work/listening" &
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
  case $(ls -l "/proc/$1/fd") in
    *'anon_inode:[io_uring]'*) echo io_uring ;;
    *'anon_inode:[eventpoll]'*) echo epoll ;;
    *) echo unknown ;;
  esac
}

# CPU time of all threads so far, in nanoseconds.
cpu_ns() { cat "/proc/$1"/task/*/schedstat | awk '{sum += $1} END {printf "%.0f\n", sum}'; }

# drive PROGRAM PORT PID: load for $seconds; prints "requests seconds cpu_ns".
drive() {
  local before after
  before=$(cpu_ns "$3")
  case $1 in
    http_server)
      wrk -t1 -c$connections -d${seconds}s "http://127.0.0.1:$2/hello" >"$work/client" || fail "wrk failed"
      grep -E 'Socket errors|Non-2xx' "$work/client" >&2 && fail "wrk saw errors"
      ;;
    *)
      "$build/bench/load" --tcp "$2" --connections $connections --size $message --seconds $seconds \
        --server-pid "$3" >"$work/client" || fail "the echo client failed"
      ;;
  esac
  after=$(cpu_ns "$3")
  # wrk: "  12345 requests in 3.00s, ..."; load: "requests=12345 seconds=3.000 ... cpu_ns_per_request=..."
  awk -v cpu=$((after - before)) '
    / requests in / { requests = $1; seconds = $4 + 0 }
    /requests=/ {
      for (i = 1; i <= NF; ++i) { split($i, pair, "="); value[pair[1]] = pair[2] }
      requests = value["requests"]; seconds = value["seconds"]; cpu = value["cpu_ns_per_request"] * requests
    }
    END { if (requests < 1) exit 1; print requests, seconds, cpu }' "$work/client" || fail "no request was answered"
}

# measure PROGRAM BUILD: one round into $work/PROGRAM_BUILD, one line per round.
measure() {
  start "$build/example/$1_$2"
  drive "$1" "$port" "$server" >>"$work/$1_$2"
  backend "$server" >"$work/$1_$2.backend"
  stop "$server"
}

# count_calls PROGRAM BUILD: system calls per request into $work/PROGRAM_BUILD.calls. Tracing costs time, so it is a run
# of its own.
count_calls() {
  start strace -f -c -o "$work/strace" "$build/example/$1_$2"
  local pid
  pid=$(pgrep -P "$server") || fail "no server under strace"
  seconds=1 drive "$1" "$port" "$pid" >"$work/traced"
  stop "$pid"
  awk 'NR == FNR { requests = $1; next } $NF == "total" { printf "%.2f\n", $4 / requests }' \
    "$work/traced" "$work/strace" >"$work/$1_$2.calls"
  [[ -s $work/$1_$2.calls ]] || fail "strace counted nothing"
}

shopt -s extglob
tools/install-dependencies.sh

echo "Building each server twice from the same source ..." >&2
cmake -S . -B $build -DCMAKE_BUILD_TYPE=Release -DASIO_URING_BUILD_TESTS=OFF >"$work/log" ||
  { cat "$work/log" >&2; fail "configuring failed"; }
cmake --build $build --parallel "$(nproc)" --target http_server_epoll http_server_uring \
  echo_coroutines_epoll echo_coroutines_uring bench_load >"$work/log" 2>&1 ||
  { cat "$work/log" >&2; fail "building failed"; }

programs="http_server echo_coroutines"
for program in $programs; do
  echo "Measuring $program, $rounds rounds ..." >&2
  for ((round = 0; round < rounds; ++round)); do
    measure "$program" epoll
    measure "$program" uring
  done
  count_calls "$program" epoll
  count_calls "$program" uring
done

echo
echo 'program          backend    requests/s  server CPU µs/request  system calls/request'
for program in $programs; do
  for variant in epoll uring; do
    result=$work/${program}_$variant
    awk -v program="$program" -v backend="$(<"$result.backend")" -v calls="$(<"$result.calls")" '
      { requests += $1; seconds += $2; cpu += $3 }
      END { printf "%-16s %-9s %11.0f %22.2f %21s\n", program, backend, requests / seconds, cpu / requests / 1000, calls }
    ' "$result"
  done
done
echo
echo "1 server thread, $connections connections; HTTP: GET /hello from wrk; echo: $message bytes."

for program in $programs; do
  [[ $(<"$work/${program}_epoll.backend") == epoll ]] || fail "the stock $program is not on epoll"
  [[ $(<"$work/${program}_uring.backend") == io_uring ]] || fail "the $program built for io_uring is not on it"
done
