#!/usr/bin/env bash
# Runs example servers against real clients: check.sh PROGRAM... PROGRAM is NAME_epoll or NAME_uring. Exit
# code 0 only if all checks pass. Needs curl, wrk and nc (OpenBSD's); mini_redis needs redis-cli and
# redis-benchmark, websocket_chat Debian's Python with its package websockets.

if (($# != 1)); then
  (($#)) || { echo "usage: check.sh PROGRAM..." >&2; exit 2; }
  failures=0
  for each; do "$0" "$each" || ((++failures)); done
  exit $((failures > 0))
fi
# shellcheck source=checking.sh
source "${BASH_SOURCE%/*}/checking.sh"
kind=${name%_*}
build=${name##*_}

check_backend() {
  local descriptors
  descriptors=$(ls -l "/proc/$server/fd")
  case $build in
    uring) [[ $descriptors == *'anon_inode:[io_uring]'* ]] || fail "has no io_uring" ;;
    epoll)
      [[ $descriptors != *'anon_inode:[io_uring]'* ]] || fail "has an io_uring"
      [[ $descriptors == *'anon_inode:[eventpoll]'* ]] || fail "has no epoll"
      ;;
    *) fail "is the name of neither build" ;;
  esac
  passed "runs on $build"
}

check_arguments() {
  refused 2 usage
  refused 2 usage 1 2 3
  refused 2 usage 127.0.0.1 1 2 3
  refused 2 "'70000' is not a port" 70000
  refused 2 "'nowhere' is not a port" nowhere 0
  refused 2 "'0' is not a number of threads" 127.0.0.1 0 0
  refused 1 "in use" "$host" "$port"
  passed "bad arguments are refused"
}

# ---- echo_callbacks, echo_coroutines

check_echo() {
  local i fds=() fd line jobs=()

  for i in {1..100}; do
    exec 3<>"/dev/tcp/$host/$port" || fail "connection $i of 100"
    echo "message $i" >&3
    IFS= read -r -t 10 line <&3 && [[ $line == "message $i" ]] || fail "echo on connection $i of 100"
    exec 3>&-
  done
  passed "100 connections in turn"

  for i in {0..99}; do
    exec {fd}<>"/dev/tcp/$host/$port" || fail "connection $i of 100 at once"
    fds+=("$fd")
  done
  for i in {0..99}; do echo "message $i" >&"${fds[i]}"; done
  for i in {99..0}; do
    IFS= read -r -t 10 line <&"${fds[i]}" && [[ $line == "message $i" ]] || fail "echo on connection $i at once"
  done
  for fd in "${fds[@]}"; do exec {fd}>&-; done
  passed "100 connections at once"

  head -c 2000000 /dev/urandom >"$work/data"
  for i in {1..8}; do
    timeout 40 nc -N "$host" "$port" <"$work/data" >"$work/echo.$i" 2>/dev/null &
    jobs+=($!)
  done
  wait "${jobs[@]}"
  for i in {1..8}; do cmp -s "$work/data" "$work/echo.$i" || fail "2 MB through nc, client $i of 8"; done
  passed "2 MB through each of 8 nc"
}

# ---- http_server

# http EXPECTED-CODE CURL-ARGUMENT...: the answer's head in $work/head, its body in $work/body.
http() {
  local expected=$1 code
  shift
  code=$(curl -s --max-time 20 -D "$work/head" -o "$work/body" -w '%{http_code}' "$@") || fail "curl $*: error $?"
  [[ $code == "$expected" ]] || fail "curl $*: $code instead of $expected"
}

# raw REQUEST: prints the server's answer to these bytes, until it closes.
raw() { printf "$1" | timeout 20 nc -N "$host" "$port" | tr -d '\r'; }

# Whether an idle connection is closed by the server's own timeout.
idle_connection() {
  local begin=$SECONDS
  exec 3<>"/dev/tcp/$host/$port" || return 1
  printf "$1" >&3
  timeout 20 cat <&3 >/dev/null || return 1
  ((SECONDS - begin >= 3))
}

check_http() {
  local site=http://$host:$port i jobs=()

  idle_connection '' &
  local idle_unused=$!
  idle_connection 'GET /hello HTTP/1.1\r\nHost: a\r\n\r\n' &
  local idle_used=$!

  http 200 "$site/hello"
  [[ $(<"$work/body") == 'Hello, world!' ]] || fail "/hello says '$(<"$work/body")'"
  http 200 "$site/?with=query"
  grep -q '^GET /hello$' "$work/body" || fail "/ does not list /hello"
  http 404 "$site/nothing-here"
  http 404 "$site/hello/there"
  http 405 -X DELETE "$site/hello"
  grep -qi '^allow: GET, HEAD' "$work/head" || fail "405 without Allow"
  http 405 "$site/echo"
  http 400 "$site/bytes/many"
  passed "pages, 404, 405"

  http 200 -I "$site/hello"
  grep -qi '^content-length: 14' "$work/head" || fail "HEAD without Content-Length"
  [[ $(raw 'HEAD /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n') != *Hello* ]] || fail "HEAD with a body"
  [[ $(curl -s --max-time 20 -o /dev/null -w '%{num_connects} ' -I "$site/hello" --next \
    -s -o /dev/null -o /dev/null -w '%{num_connects} ' "$site/hello" "$site/none") == '1 0 0 ' ]] ||
    fail "the connection is not kept after HEAD, GET"
  passed "HEAD, keep-alive"

  [[ $(raw 'GARBAGE\r\n\r\n') == 'HTTP/1.1 400 '* ]] || fail "garbage is not answered with 400"
  [[ $(raw 'GET / HTTP/1.1\r\n\r\n') == 'HTTP/1.1 400 '* ]] || fail "no Host is not answered with 400"
  [[ $(raw 'GET /hello HTTP/1.0\r\n\r\n') == 'HTTP/1.0 200 '*Hello* ]] || fail "HTTP/1.0"
  [[ $(raw 'GET /hello HTTP/1.1\r\nHost: a\r\n\r\nGET /none HTTP/1.1\r\nHost: a\r\n\r\n' | grep -c '^HTTP/1.1 [24]0[04] ') == 2 ]] ||
    fail "two requests sent at once"
  passed "malformed, old and pipelined requests"

  head -c 500000 /dev/urandom >"$work/data"
  http 200 --data-binary "@$work/data" "$site/echo"
  cmp -s "$work/data" "$work/body" || fail "POST /echo changed the body"
  head -c 2000000 /dev/zero >"$work/large"
  http 413 --data-binary "@$work/large" "$site/echo"
  for i in {1..8}; do
    curl -s --max-time 20 -o "$work/bytes.$i" "$site/bytes/3000000" &
    jobs+=($!)
  done
  http 200 --limit-rate 16M "$site/bytes/16777216"
  [[ $(stat -c %s "$work/body") == 16777216 ]] || fail "16 MiB, slowly"
  wait "${jobs[@]}"
  for i in {1..8}; do [[ $(stat -c %s "$work/bytes.$i") == 3000000 ]] || fail "3 MB to client $i of 8"; done
  passed "large bodies, 8 clients at once"

  timeout 20 wrk -t1 -c32 -d1s "$site/hello" >"$work/wrk" || fail "wrk ends with $?"
  grep -Eq '^ +[1-9][0-9]* requests in' "$work/wrk" || fail "wrk got no answer"
  ! grep -E 'Socket errors|Non-2xx' "$work/wrk" >&2 || fail "wrk saw errors"
  passed "wrk:$(grep 'Requests/sec' "$work/wrk" | tr -s ' ' | cut -d: -f2) requests/s on 32 connections"

  wait "$idle_unused" || fail "an unused connection is not closed after its timeout"
  wait "$idle_used" || fail "an idle connection is not closed after its timeout"
  passed "idle connections are closed"
}

# ---- chat_server

# join FD NAME: starts an nc in the chat. What is written to FD is its input; its output goes to $work/NAME.
join() {
  mkfifo "$work/$2.in"
  timeout 60 nc -N "$host" "$port" <"$work/$2.in" >"$work/$2" 2>/dev/null 3>&- 4>&- &
  eval "exec $1>\"\$work/\$2.in\""
  echo "$2" >&"$1"
  hears "$2" "^\* welcome, $2;"
}

# hears NAME PATTERN: waits until NAME's nc shows a line that matches.
hears() { eventually grep -aq -- "$2" "$work/$1" || fail "chat: $1 does not hear '$2'"; }

check_chat() {
  join 3 ann
  join 4 bob
  hears ann '^\* bob joined$'
  echo "hello, all" >&3
  hears bob '^ann: hello, all$'
  grep -q 'hello, all' "$work/ann" && fail "chat: ann hears herself"
  echo "/who" >&4
  hears bob '^\* here: \(ann, bob\|bob, ann\)$'

  [[ $(printf 'ann\neve\n/quit\n' | timeout 20 nc -N "$host" "$port") == \
    *'your name'*'name is taken'*'welcome, eve'*'good bye'* ]] || fail "chat: a taken name, /quit"
  hears ann '^\* eve joined$'
  hears ann '^\* eve left$'
  [[ $({ echo max; head -c 5000 /dev/zero | tr '\0' x; } | timeout 20 nc "$host" "$port") == \
    *'too long'* ]] || fail "chat: an endless line"
  passed "join, broadcast, /who, /quit"

  # sam does not read while 8 MB are sent to him.
  exec 5<>"/dev/tcp/$host/$port"
  echo sam >&5
  hears ann '^\* sam joined$'
  { echo zoe; yes "$(printf 'x%.0s' {1..1000})" | head -n 8000; } | timeout 40 nc -N "$host" "$port" >/dev/null ||
    fail "chat: 8 MB of lines"
  hears ann '^\* zoe left$'
  echo "quiet again" >&4
  hears ann '^bob: quiet again$'
  timeout 30 cat <&5 >"$work/sam" 3>&- 4>&- &
  hears sam '^\* [0-9]* lines skipped$'
  echo "welcome back" >&4
  hears sam '^bob: welcome back$'
  exec 5>&-
  passed "a client that does not read is bounded"

  exec 4>&-
  hears ann '^\* bob left$'
}

# ---- mini_redis

# redis-cli shows the types of replies: (nil), (integer) 1, "text".
redis() { timeout 20 redis-cli -h "$host" -p "$port" --no-raw "$@" 2>&1; }

# conversation: standard input has commands, each after "> " and before what redis-cli must show.
conversation() {
  local both
  both=$(cat)
  diff <(grep -v '^> ' <<<"$both") <(sed -n 's/^> //p' <<<"$both" | redis) >"$work/differences" ||
    fail "redis-cli shows other replies: $(<"$work/differences")"
}
expired() { [[ $(redis GET "$1") == '(nil)' ]]; }

# protocol_error REQUEST WORDS: these bytes are answered with that error, and the connection ends.
protocol_error() {
  [[ $(printf "$1" | timeout 20 nc "$host" "$port") == "-ERR Protocol error: $2"$'\r' ]] || fail "no protocol error '$2'"
}

check_redis() {
  local i word benchmark
  for word in redis-cli redis-benchmark; do
    command -v $word >"$work/found" || fail "$word is missing; Debian has it in redis-tools"
  done

  conversation <<'END'
> PING
PONG
> ping hello
"hello"
> ECHO "two words"
"two words"
> SET key value
OK
> GET key
"value"
> GET nothing
(nil)
> SET key other NX
(nil)
> SET new value nx ex 4000000000
OK
> TTL key
(integer) -1
> TTL nothing
(integer) -2
> EXISTS key new nothing key
(integer) 3
> DBSIZE
(integer) 2
> KEYS n??
1) "new"
> KEYS *e*y
1) "key"
> KEYS *e*y?
(empty array)
> DEL key new nothing
(integer) 2
> KEYS *
(empty array)
> INCR counter
(integer) 1
> INCR counter
(integer) 2
> SET counter 9223372036854775807
OK
END
  passed "commands"

  conversation <<'END'
> INCR counter
(error) ERR increment or decrement would overflow
> EXPIRE counter soon
(error) ERR value is not an integer or out of range
> GET
(error) ERR wrong number of arguments for 'get' command
> Echo a b
(error) ERR wrong number of arguments for 'echo' command
> SET key value PX 1
(error) ERR syntax error
> SET key value EX
(error) ERR syntax error
> SET key value EX 0
(error) ERR invalid expire time in 'set' command
> EXPIRE counter 9223372036854775807
(error) ERR invalid expire time in 'expire' command
> KEYS h[ae]llo
(error) ERR a pattern of mini_redis has '*' and '?', and neither '[' nor '\'
> HELLO 3
(error) ERR unknown command 'HELLO', with args beginning with: '3' 
> COMMAND
(error) ERR unknown command 'COMMAND', with args beginning with: 
> "two\nlines" a b
(error) ERR unknown command 'two lines', with args beginning with: 'a' 'b' 
> GET key
(nil)
END
  passed "errors in Redis's words"

  conversation <<'END'
> SET removed 1
OK
> EXPIRE removed -1
(integer) 1
> GET removed
(nil)
> EXPIRE removed 1
(integer) 0
> SET short 1 EX 2
OK
> SET shortened 1 EX 1000
OK
> EXPIRE shortened 2
(integer) 1
> SET kept 1 EX 2
OK
> SET kept 2
OK
> SET lengthened 1 EX 2
OK
> EXPIRE lengthened 1000
(integer) 1
END
  eventually expired short || fail "a key does not expire"
  eventually expired shortened || fail "a key with a new time does not expire"
  conversation <<'END'
> GET kept
"2"
> TTL kept
(integer) -1
> GET lengthened
"1"
END
  [[ $(redis TTL lengthened) =~ ^\(integer\)\ 9[0-9][0-9]$ ]] || fail "TTL is not the time that is left"
  passed "keys expire"

  head -c 1000000 /dev/urandom >"$work/data"
  [[ $(redis -x SET large <"$work/data") == OK ]] || fail "SET of 1 MB"
  timeout 20 redis-cli -h "$host" -p "$port" --raw GET large | head -c 1000000 | cmp - "$work/data" || fail "1 MB differs"
  for ((i = 0; i < 100; ++i)); do printf 'GET large\r\n'; done >"$work/gets"
  [[ $(timeout 40 nc -N "$host" "$port" <"$work/gets" | wc -c) == $((100 * (10 + 1000000 + 2))) ]] || fail "100 answers of 1 MB at once"
  for ((i = 0; i < 20000; ++i)); do printf 'SET pipe:%d %d\r\n' "$i" "$i"; done >"$work/sets"
  timeout 40 redis-cli -h "$host" -p "$port" --pipe <"$work/sets" >"$work/piped" || fail "redis-cli --pipe: ends with $?"
  grep -qx 'errors: 0, replies: 20000' "$work/piped" || fail "redis-cli --pipe: $(tail -n 1 "$work/piped")"
  [[ $(redis GET pipe:19999) == '"19999"' ]] || fail "the last request of many is not executed"
  passed "large values, many requests at once"

  [[ $(printf '\r\nPING\r\n*0\r\n*-1\r\n  ECHO   a\n*1\r\n$4\r\nQUIT\r\nPING\r\n' | timeout 20 nc "$host" "$port" | tr -d '\r' | paste -sd ' ') == \
    '+PONG $1 a +OK' ]] || fail "inline requests, empty ones, QUIT"
  [[ $(for word in '*2\r\n$4\r' '\nEC' 'HO\r\n$2' '\r\nab\r' '\n'; do printf "$word" && sleep 0.1; done |
    timeout 20 nc -N "$host" "$port" | tr -d '\r' | paste -sd ' ') == '$2 ab' ]] || fail "a request in pieces"
  protocol_error '*1\r\n+PING\r\n' "expected '\$', got '+'"
  protocol_error '*x\r\n' 'invalid multibulk length'
  protocol_error '*1025\r\n' 'invalid multibulk length'
  protocol_error "*$(printf '1%.0s' {1..100})" 'invalid multibulk length'
  protocol_error '*1\r\n$-1\r\n' 'invalid bulk length'
  protocol_error '*1\r\n$1048577\r\n' 'invalid bulk length'
  protocol_error '*2\r\n$1\r\na\r\n$1048570\r\n' 'invalid bulk length'
  [[ $(head -c 65537 /dev/zero | tr '\0' x | timeout 20 nc "$host" "$port") == *'too big inline request'* ]] || fail "an endless line"
  passed "inline requests, requests in pieces, what is no request"

  timeout 60 redis-benchmark -h "$host" -p "$port" -n 2000 -c 20 -P 4 -q -t ping_inline,ping_mbulk,set,get,incr \
    >"$work/benchmark" 2>&1 || fail "redis-benchmark ends with $?"
  benchmark=$(tr '\r' '\n' <"$work/benchmark" | sed -nE 's/^([A-Z_]+): ([1-9][0-9]*)[.0-9]* requests per second.*/\1 \2/p' | paste -sd ' ')
  [[ $benchmark == PING_INLINE*PING_MBULK*SET*GET*INCR* ]] || fail "redis-benchmark: $(<"$work/benchmark")"
  [[ $(redis GET counter:__rand_int__) == '"2000"' ]] || fail "redis-benchmark's requests were not executed once"
  passed "redis-benchmark, requests/s: $benchmark"
}

# ---- websocket_chat

check_websocket() {
  # Debian's own, for another Python does not have its packages.
  local client=(/usr/bin/python3 "${BASH_SOURCE%/*}/websocket_client.py" "$host") site=http://$host:$port
  "${client[0]}" -c 'import websockets' || fail "the client is missing; Debian has it in python3-websockets"

  http 200 "$site/"
  grep -q 'new WebSocket' "$work/body" || fail "/ is no page with a chat"
  http 404 "$site/nothing-here"
  http 405 -X DELETE "$site/"
  http 426 -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 12' \
    -H 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==' --http1.1 "$site/"
  timeout 90 "${client[@]}" "$port" >"$work/scenes" || fail "the client ends with $?, after: $(<"$work/scenes")"
  while read -r line; do passed "$line"; done <"$work/scenes"

  timeout 60 "${client[@]}" "$port" farewell >"$work/farewell" &
  local waiting=$!
  eventually grep -q here "$work/farewell" || fail "no client"
  stop TERM
  wait "$waiting" || fail "the client that is dismissed ends with $?"
  [[ $(tail -n 1 "$work/farewell") == 1001 ]] || fail "a server that stops says $(tail -n 1 "$work/farewell")"
  passed "clients are told that the server stops"
  start "$host" 0 "$threads"
}

for threads in 1 2; do
  start "$host" 0 "$threads"
  check_backend
  case $kind in
    echo_*) check_echo ;;
    http_server) check_http ;;
    chat_server) check_chat ;;
    mini_redis) check_redis ;;
    websocket_chat) check_websocket ;;
    *) fail "no check for this program" ;;
  esac
  # Connections in use must not keep it from stopping.
  exec {idle}<>"/dev/tcp/$host/$port"
  if ((threads == 1)); then
    check_arguments
    stop TERM
  else
    stop INT
  fi
  exec {idle}>&- 3>&-
  rm -f "$work"/*
done
passed "all well"
