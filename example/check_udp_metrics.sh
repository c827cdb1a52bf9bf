#!/usr/bin/env bash
# Sends counters to the example udp_metrics: check_udp_metrics.sh PROGRAM.
# shellcheck source=checking.sh
source "${BASH_SOURCE%/*}/checking.sh"

# totals LINE...: checks what the program has printed at the end.
totals() {
  diff <(printf '%s\n' "$@") <(tail -n +2 "$work/output") || fail "the totals are others"
}

# Each printf is a datagram. What has arrived when the signal comes counts.
start 0
exec 3<>"/dev/udp/$host/$port"
for ((i = 0; i < 200; ++i)); do printf 'requests:1|c\n' >&3; done
printf 'requests:10|c\nbytes:4096|c\nbytes:-96|c' >&3
printf 'a:b:5|c\n\nnothing\n:1|c\nx:1\nx:1|g\nx:1.5|c\nx:|c\nx:1|c|@0.1\n' >&3
printf 'most:9223372036854775807|c\nmost:1|c\nmost:9223372036854775808|c\n' >&3
printf 'cut:1|c\n%03000d' 0 >&3
stop INT
totals "a:b 5" "bytes 4000" "cut 1" "most 9223372036854775807" "requests 210" "malformed lines: 11"
passed "totals, and lines that are none"

start 0 --echo
exec 3<>"/dev/udp/$host/$port"
# Reads one datagram with dd, because bash would read one byte and lose the rest.
answer() { timeout 20 dd bs=65536 count=1 <&3 2>/dev/null; }
for ((i = 0; i < 300; ++i)); do
  printf 'requests:%d|c\n' "$i" >&3
  [[ $(answer) == "requests:$i|c" ]] || fail "datagram $i is not echoed"
done
# Many at a time come back in order.
for ((i = 0; i < 100; ++i)); do printf 'many:%d|c\n' "$i" >&3; done
for ((i = 0; i < 100; ++i)); do [[ $(answer) == "many:$i|c" ]] || fail "datagram $i of many is not echoed"; done

# A client that is gone when the echo comes does no harm to others.
for ((i = 0; i < 50; ++i)); do
  exec 4<>"/dev/udp/$host/$port"
  printf 'gone:1|c\n' >&4
  exec 4>&-
done
printf 'here:1|c\n' >&3
[[ $(answer) == "here:1|c" ]] || fail "no echo after those for who has gone"

refused 2 usage
refused 2 usage 0 --loud
refused 2 usage 0 --echo more
refused 2 "'70000' is not a port" 70000
refused 1 "in use" "$port"
stop TERM
totals "gone 50" "here 1" "many 4950" "requests 44850" "malformed lines: 0"
passed "echo"
passed "all well"
