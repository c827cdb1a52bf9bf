#!/usr/bin/env bash
# Sends through the example tcp_proxy: check_tcp_proxy.sh PROXY FILE_SERVER ECHO_SERVER.
# Needs curl and nc (OpenBSD's).
# shellcheck source=checking.sh
source "${BASH_SOURCE%/*}/checking.sh"

mkdir "$work/root"
head -c 67108864 /dev/urandom >"$work/root/64MiB"
head -c 3000000 /dev/urandom >"$work/data"

# proxy_to PROGRAM ARGUMENT...: starts that server and a proxy to it.
proxy_to() {
  : >"$work/behind"
  "$@" >"$work/behind" 2>&1 &
  behind=$!
  eventually grep -q '^listening on ' "$work/behind" || fail "no $1 behind it"
  start 0 "$host" "$(sed 's/.*://' "$work/behind")"
}

proxy_to "$2" "$work/root" "$host" 0

# ---- HTTP through it

curl -s --max-time 40 -o "$work/body" "http://$host:$port/64MiB" || fail "curl: error $?"
cmp "$work/root/64MiB" "$work/body" || fail "64 MiB differ"
jobs=()
for i in {1..8}; do
  curl -s --max-time 60 $([[ $i != 1 ]] || echo --limit-rate 32M) -o "$work/body.$i" "http://$host:$port/64MiB" &
  jobs+=($!)
done
curl -s --max-time 0.05 -o /dev/null "http://$host:$port/64MiB" # disconnects in the middle
for job in "${jobs[@]}"; do wait "$job" || fail "8 clients at once"; done
for i in {1..8}; do cmp "$work/root/64MiB" "$work/body.$i" || fail "64 MiB to client $i of 8 differ"; done
passed "64 MiB by HTTP, to one client, and to 8 at once"

answer=$(printf 'GET /missing HTTP/1.0\r\n\r\n' | timeout 20 nc -N "$host" "$port") || fail "nc: error $?"
[[ $answer == 'HTTP/1.1 404 '* || $answer == 'HTTP/1.0 404 '* ]] || fail "a half-closed request gets '$answer'"
passed "a client that has said all gets its answer"

kill "$behind"
stop TERM

# Data is echoed after the client has ended its side; the echo ends when the server has seen that end.
proxy_to "$3" "$host" 0
jobs=()
for i in {1..8}; do
  timeout 40 nc -N "$host" "$port" <"$work/data" >"$work/echo.$i" &
  jobs+=($!)
done
for job in "${jobs[@]}"; do wait "$job" || fail "a half-closed client ends with $?"; done
for i in {1..8}; do cmp "$work/data" "$work/echo.$i" || fail "3 MB through an echo server, client $i of 8, differ"; done
passed "a half-closed connection goes on the other way, and ends"

# If the proxy cannot connect, the client's connection must break: an end would look like an answer.
kill "$behind"
wait "$behind"
exec 3<>"/dev/tcp/$host/$port"
timeout 20 cat <&3 >"$work/said" 2>"$work/broken" && fail "a server that is not there has ended the connection"
grep -q reset "$work/broken" || fail "a server that is not there: $(<"$work/broken")"
grep -q 'connect: Connection refused' "$work/errors" || fail "says nothing of a server that is not there"
passed "a server that is not there"

refused 2 usage
refused 2 usage 1 2
refused 2 "'70000' is not a port" 70000 "$host" 1
refused 2 "'nowhere' is not a port" 0 "$host" nowhere
refused 1 "in use" "$port" "$host" 1

proxy_to "$3" "$host" 0
exec 3<>"/dev/tcp/$host/$port" # a connection in use must not keep it from stopping
echo hello >&3
IFS= read -r -t 20 line <&3 && [[ $line == hello ]] || fail "no echo"
# Discards the proxy that reported a failed connect, with its messages; this one must report nothing.
stop INT
passed "all well"
