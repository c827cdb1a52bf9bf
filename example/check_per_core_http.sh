#!/usr/bin/env bash
# Sends requests to the example per_core_http: check_per_core_http.sh PROGRAM. Needs curl, wrk and nc
# (OpenBSD's).
source "${BASH_SOURCE%/*}/checking.sh"

# raw REQUEST: prints the server's answer to these bytes, until it closes.
raw() { printf "$1" | timeout 20 nc -N "$host" "$port" | tr -d '\r'; }

for cores in 1 2 3; do
  start 0 "$cores"
  site=http://$host:$port

  # Each connection belongs to one core, and 64 of them do not all belong to the same.
  for _ in {1..64}; do curl -s --max-time 20 "$site/" || fail "curl: error $?"; done >"$work/answers"
  (($(wc -l <"$work/answers") == 64)) || fail "$(wc -l <"$work/answers") answers of 64"
  for ((core = 0; core < cores; ++core)); do
    grep -qx "Hello from core $core" "$work/answers" || fail "core $core of $cores has answered nobody"
  done
  ! grep -vxE "Hello from core [0-$((cores - 1))]" "$work/answers" || fail "other answers"
  passed "$cores: each core answers"

  [[ $(curl -s --max-time 20 -w '%{num_connects} ' -o "$work/1" "$site/" --next \
    -s -w '%{num_connects} ' -o "$work/2" "$site/" --next -s -w '%{num_connects}' -I -o "$work/3" "$site/") == '1 0 0' ]] ||
    fail "the connection is not kept"
  cmp "$work/1" "$work/2" || fail "one connection has two cores"
  [[ $(curl -s --max-time 20 -o /dev/null -w '%{http_code}' -X DELETE "$site/") == 405 ]] || fail "DELETE is not refused"
  [[ $(raw 'GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n' | grep -c '^HTTP/1.1 200 ') == 2 ]] || fail "pipelined requests"
  [[ $(raw 'GARBAGE\r\n\r\n') == 'HTTP/1.1 400 '* ]] || fail "garbage is not answered with 400"
  [[ $(raw 'GET / HTTP/1.0\r\n\r\n') == 'HTTP/1.0 200 '*Hello* ]] || fail "HTTP/1.0"
  passed "$cores: keep-alive, pipelined, malformed and old requests"

  timeout 20 wrk -t1 -c32 -d1s "$site/" >"$work/wrk" || fail "wrk ends with $?"
  grep -Eq '^ +[1-9][0-9]* requests in' "$work/wrk" || fail "wrk got no answer"
  ! grep -E 'Socket errors|Non-2xx' "$work/wrk" >&2 || fail "wrk saw errors"
  passed "$cores: wrk:$(grep 'Requests/sec' "$work/wrk" | tr -s ' ' | cut -d: -f2) requests/s on 32 connections"

  exec 3<>"/dev/tcp/$host/$port" # a connection in use must not keep it from stopping
  if ((cores == 1)); then
    refused 2 usage
    refused 2 usage 1 2 3
    refused 2 "'70000' is not a port" 70000
    refused 2 "'0' is not a number of cores" 0 0
    stop TERM
  else
    stop INT
  fi
  exec 3>&-
done
passed "all well"
