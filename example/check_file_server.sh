#!/usr/bin/env bash
# Downloads from the example file_server with curl: check_file_server.sh PROGRAM. Exit code 0 only if all is well.
set -u
[[ ${CHECK_IS_BOUNDED:-} ]] || CHECK_IS_BOUNDED=1 exec timeout 110 "$0" "$@"
program=$1
work=$(mktemp -d)
server=

finish() {
  local code=$?
  [[ $server ]] && kill -KILL "$server" 2>/dev/null
  wait 2>/dev/null
  rm -rf "$work"
  exit "$code"
}
trap finish EXIT
trap 'exit 1' TERM INT

fail() {
  echo "file_server: FAILED: $*" >&2
  [[ -s $work/errors ]] && sed 's/^/  server: /' "$work/errors" >&2
  exit 1
}

root=$work/root
mkdir -p "$root/directory/empty" "$work/outside"
chmod 755 "$work" "$root"
echo secret >"$work/outside/secret"
: >"$root/none"
for size in 1 4095 131071 131072 131073 262144 1000003; do head -c "$size" /dev/urandom >"$root/$size"; done
head -c 67108864 /dev/urandom >"$root/64MiB"
echo '<p>index' >"$root/index.html"
echo '<p>directory' >"$root/directory/index.html"
echo 'body {}' >"$root/style.css"
echo spaces >"$root/with space & %"
mkfifo "$root/fifo"
ln -s 4095 "$root/link"
ln -s ../outside/secret "$root/escaping-link"
ln -s "$work/outside" "$root/absolute-link"

: >"$work/output"
"$program" "$root" 127.0.0.1 0 >"$work/output" 2>"$work/errors" &
server=$!
for _ in {1..200}; do grep -q '^listening on ' "$work/output" && break || sleep 0.05; done
line=$(<"$work/output")
port=${line##*:}
[[ $port =~ ^[1-9][0-9]*$ ]] || fail "no port in '$line'"
site=http://127.0.0.1:$port

# http EXPECTED-CODE CURL-ARGUMENT...: the answer's head in $work/head, its body in $work/body.
http() {
  local expected=$1 code
  shift
  rm -f "$work/body"
  code=$(curl -s --max-time 30 --path-as-is -D "$work/head" -o "$work/body" -w '%{http_code}' "$@") || fail "curl $*: error $?"
  [[ $code == "$expected" ]] || fail "curl $*: $code instead of $expected"
}
header() { grep -qi "^$1"$'\r$' "$work/head" || fail "no '$1' in: $(<"$work/head")"; }
gets() { # FILE TARGET
  http 200 "$site$2"
  header "content-length: $(stat -c %s "$root/$1")"
  cmp -s "$root/$1" "$work/body" || { [[ ! -s $root/$1 && ! -s $work/body ]] || fail "$2 differs"; }
}

for name in none 1 4095 131071 131072 131073 262144 1000003 64MiB; do gets "$name" "/$name"; done
gets 4095 /link
gets 4095 /directory/../4095
gets 4095 '/4095?query'
gets 'with space & %' /with%20space%20%26%20%25
gets index.html /
header 'content-type: text/html; charset=utf-8'
gets directory/index.html /directory/
gets style.css /style.css
header 'content-type: text/css'
http 301 "$site/directory"
header 'location: /directory/'

http 200 -I "$site/64MiB"
header 'content-length: 67108864'
modified=$(grep -i '^last-modified: ' "$work/head" | cut -d' ' -f2- | tr -d '\r')
[[ $(date -d "$modified" +%s) == "$(stat -c %Y "$root/64MiB")" ]] || fail "Last-Modified is '$modified'"
http 304 -H "If-Modified-Since: $modified" "$site/64MiB"
[[ ! -s $work/body ]] || fail "304 with a body"
http 200 -H 'If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT' "$site/4095"

http 404 "$site/missing"
http 404 "$site/4095/below"
http 404 "$site/directory/empty/"
http 404 "$site/fifo"
http 404 "$site/$(printf 'x%.0s' {1..300})"
http 404 -I "$site/missing"
http 400 "$site/bad%2"
http 400 "$site/bad%zz"
http 400 "$site/zero%00"
http 405 -X DELETE "$site/4095"
http 405 --data-binary x "$site/4095"
header 'allow: GET, HEAD'
http 200 -X GET --data-binary x "$site/4095" # no request can follow a body that is not read
header 'connection: close'
for escape in /../outside/secret /directory/../../outside/secret /%2e%2e/outside/secret /..%2foutside%2fsecret \
  /escaping-link /absolute-link/secret //../outside/secret; do
  http 403 "$site$escape"
  ! grep -q secret "$work/body" || fail "$escape escapes"
done
if ((EUID != 0)); then
  chmod 000 "$root/1"
  http 403 "$site/1"
fi

[[ $(curl -s --max-time 20 -o /dev/null -w '%{num_connects} ' -I "$site/4095" --next \
  -s -o /dev/null -o /dev/null -o /dev/null -o /dev/null -w '%{num_connects} ' \
  "$site/none" "$site/missing" "$site/1000003" "$site/../x") == '1 0 0 0 0 ' ]] || fail "the connection is not kept"
pipelined=$(printf 'GET /style.css HTTP/1.1\r\nHost: a\r\n\r\nGET /none HTTP/1.1\r\nHost: a\r\n\r\nGET /missing HTTP/1.0\r\n\r\n' |
  timeout 20 nc -N 127.0.0.1 "$port" | grep -aEc '^HTTP/1.[01] (200|404) ')
((pipelined == 3)) || fail "pipelined requests: $pipelined answers"
[[ $(printf 'GARBAGE\r\n\r\n' | timeout 20 nc -N 127.0.0.1 "$port") == 'HTTP/1.1 400 '* ]] || fail "garbage"

# Slow and fast clients at once, one of which disconnects in the middle.
jobs=()
for i in {1..8}; do
  curl -s --max-time 40 $([[ $i != 1 ]] || echo --limit-rate 32M) -o "$work/64MiB.$i" "$site/64MiB" &
  jobs+=($!)
done
curl -s --max-time 0.05 -o /dev/null "$site/64MiB"
for job in "${jobs[@]}"; do wait "$job" || fail "8 clients at once"; done
for i in {1..8}; do cmp -s "$root/64MiB" "$work/64MiB.$i" || fail "64 MiB to client $i of 8 differs"; done

timeout 20 wrk -t1 -c32 -d1s "$site/4095" >"$work/wrk" || fail "wrk ends with $?"
grep -Eq '^ +[1-9][0-9]* requests in' "$work/wrk" || fail "wrk got no answer"
! grep -E 'Socket errors|Non-2xx' "$work/wrk" >&2 || fail "wrk saw errors"
for _ in {1..100}; do
  open=$(ls "/proc/$server/fd" | wc -l)
  ((open < 20)) && break || sleep 0.05
done
((open < 20)) || fail "leaves $open files open"

kill -TERM "$server"
wait "$server" || fail "exit code $? after SIGTERM"
server=
[[ ! -s $work/errors ]] || fail "wrote to standard error"
